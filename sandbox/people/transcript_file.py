"""Real-style visits from a file in ACI-BENCH's shape: `{"data": [{"src": transcript, "tgt": note}, ...]}`."""

import json
from pathlib import Path

from sandbox.errors import UnusableFile
from sandbox.people.patient_file import Person, Visit

AT_MOST = 100
FIRST_MRN = 9000000


def load_visits(file: Path) -> list[Person]:
    """One patient with one open visit per transcript; the names say nothing. Raises UnusableFile."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["data"][:AT_MOST]
        return [_person(number, entry["src"]) for number, entry in enumerate(entries, start=1)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableFile(file, 'visits: {"data": [{"src": "[doctor] ..."}]}') from error


def _person(number: int, transcript: str) -> Person:
    visit = Visit(key="v1", practitioner="dr-1", reason="Visit from file", minutes_ago=30, open=True)
    return Person(
        key=f"visit-{number:03}",
        family=f"{number:03}",
        given=("Visit",),
        mrn=str(FIRST_MRN + number),
        visits=(visit,),
        transcripts={visit.key: transcript},
    )
