"""A signed note with good defaults."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from vendors.contract import SignedNote, Write

CENTRAL = timezone(timedelta(hours=-6))

TEXT = "SUBJECTIVE\r\nAna reports dizziness for 3 days; no falls. Niño at home.\n\nPLAN\nlisinopril 20 mg daily."


def a_signed_note(**changes: Any) -> SignedNote:
    note = SignedNote(
        identifier_system="https://countersign.example/notes",
        identifier_value="tenant-1/note-7/1",
        patient="Patient/p1",
        encounter="Encounter/e9",
        author="Practitioner/d7",
        author_name="Kwame Osei, MD",
        custodian="Organization/o1",
        type_code="11506-3",
        type_display="Progress note",
        title="Progress note, 22 Nov 2026",
        text=TEXT,
        signed_at=datetime(2026, 11, 22, 14, 32, 7, 123456, tzinfo=CENTRAL),
        visit_start=datetime(2026, 11, 22, 20, 0, tzinfo=UTC),
        visit_end=None,
        ai_assisted=True,
        file_as="final",
    )
    return replace(note, **changes)


def created(payload: bytes) -> Write:
    return Write("DocumentReference", "create", payload)
