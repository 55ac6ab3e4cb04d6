"""Clinicians among real processes: they open charts through the real authorization server, sign, and try again."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

import requests
from flask import Flask

from app.chaos.result import Result
from app.collaborators import EXTENSION, Collaborators
from app.demo.running import Demo
from app.errors import CountersignError
from app.ids import NoteId
from app.notes.commands import BeginAmendment, DecideClaim, Kind, Reason, SignNote, Verdict, WriteAddendum
from app.tenants import launches
from app.tenants.launches import Launch

EHR = "reference"


@dataclass
class Run:
    """One demo with the histories that are under way in it."""

    demo: Demo
    app: Flask
    dice: Random
    result: Result
    signed: list[tuple[int, Launch, NoteId]] = field(default_factory=list)

    @property
    def parts(self) -> Collaborators:
        """Our own hands on the same database."""
        parts: Collaborators = self.app.extensions[EXTENSION]
        return parts

    @property
    def sandbox(self) -> str:
        """The EHRs' address."""
        return f"http://127.0.0.1:{urlsplit(self.demo.sandbox).port}"


def persist(one: Run, work: Callable[[], None]) -> None:
    """A clinician tries again when a page fails; what died is started again meanwhile."""
    for _ in range(20):
        try:
            work()
        except (CountersignError, requests.RequestException, NotOpened):
            one.demo.processes.restart_dead()
            time.sleep(0.5)
        else:
            return


class NotOpened(Exception):
    """The launch did not come through."""


def sign(one: Run, number: int, patient: str, clinician: str) -> None:
    """Open the chart, draft, confirm what is open, sign, and note it down as signed."""
    launch = open_chart(one, patient, clinician)
    parts = one.parts
    note_id = parts.preparation.prepare(launch)
    one.signed = [known for known in one.signed if known[0] != number] + [(number, launch, note_id)]
    for claim in parts.notes.require(launch).review.open_claims:
        command = DecideClaim(launch, note_id, claim.claim.id, claim.decision.revision, Verdict.CONFIRM)
        parts.notes.decide_claim(command)
    _sign_what_is_shown(one, launch)


def change(one: Run, launch: Launch, note_id: NoteId) -> None:
    """Add to a signed note, whatever became of it until now; what is refused, or meets a dead process, is left."""
    amendments = one.parts.amendments
    with suppress(CountersignError, requests.RequestException):
        amendments.begin(BeginAmendment(launch, note_id, Kind.ADDENDUM, Reason.OMISSION))
        amendments.write(WriteAddendum(launch, note_id, "Called the patient; cough is better."))
        _sign_what_is_shown(one, launch)


def _sign_what_is_shown(one: Run, launch: Launch) -> None:
    parts, note = one.parts, one.parts.notes.require(launch)
    shown = parts.signing.preview(launch, note).displayed_hash
    signed = parts.signing.sign(SignNote(launch, note.note_id, shown, launch.patient, launch.encounter or "", True))
    if signed.ring:
        parts.relay.ring(signed.ring)


def open_chart(one: Run, patient: str, clinician: str) -> Launch:
    """Through the real authorization server; the browser's part is played here."""
    url = f"{one.sandbox}/{EHR}/charts/{patient}/launches"
    opened = requests.post(url, params={"user": clinician}, timeout=10).json()["url"]
    browser = one.app.test_client()
    answer = browser.get(_path(opened), base_url=one.demo.app)
    if answer.status_code != 303:
        raise NotOpened(answer.status)
    authorize = answer.headers["Location"].replace(one.demo.sandbox, one.sandbox, 1)
    back = requests.get(authorize, allow_redirects=False, timeout=10).headers.get("Location", "")
    answer = browser.get(_path(back), base_url=one.demo.app)
    if answer.status_code != 303:
        raise NotOpened(answer.status)
    with one.parts.database.read() as tx:
        return launches.find(tx, answer.headers["Location"].split("/")[2])


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
