"""The peer of the drain: one RQ job for each note, one POST each, nothing recorded."""

import requests


def post_note(url: str, body: str) -> None:
    """Send one note, as a job of the stock kind does."""
    answer = requests.post(
        url, data=body.encode(), headers={"Content-Type": "application/fhir+json"}, timeout=30, allow_redirects=False
    )
    answer.raise_for_status()
