"""Plain FHIR R4 behaviour, steered by a profile; a vendor's module adds only what is different.

Sources: FHIR R4 http.html; conformance C06, C07, C09, C20, C25; 0.10 (US Core search parameters).
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from vendors.chart import ENCOUNTER, Asking, Chart, read_chart
from vendors.contract import Receipt, SignedNote, Stored, StoredNote
from vendors.errors import Unsupported
from vendors.notes import CLINICAL_NOTE, identifiers, note_text, render, stored_note, subject_of
from vendors.profile import Profile
from vendors.replies import version_of
from vendors.transport import FHIRTransport, NotTheSigners, SignersTransport

Params = list[tuple[str, str]]


class FHIRR4:
    """An EHR that keeps to FHIR R4 as far as its profile says so."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def read_chart(
        self, transport: FHIRTransport, patient_id: str, encounter_id: str | None, clinician: str | None
    ) -> Chart:
        """See VendorAdapter.read_chart."""
        rules = self.profile.note.search_parameters.value
        asking = Asking(self.profile.search_page_size.value, by_encounter=ENCOUNTER in rules)
        return read_chart(transport, patient_id, encounter_id, clinician, asking=asking)

    def render_note(self, note: SignedNote) -> bytes:
        """See VendorAdapter.render_note."""
        return render(note, self.profile)

    def create_note(self, transport: SignersTransport, payload: bytes) -> Receipt:
        """See VendorAdapter.create_note; conditional where the profile says that this is honoured."""
        _require_signers(transport)
        self._require("DocumentReference", "create")
        return transport.create("DocumentReference", payload, self._condition(payload))

    def read_note(self, transport: FHIRTransport, resource_id: str) -> StoredNote:
        """See VendorAdapter.read_note."""
        self._require("DocumentReference", "read")
        return stored_note(transport.read("DocumentReference", resource_id), transport)

    def find_notes(self, transport: FHIRTransport, payload: bytes) -> list[StoredNote]:
        """See VendorAdapter.find_notes; lists and compares where identifiers cannot be searched (C20)."""
        self._require("DocumentReference", "search")
        ours = json.loads(payload)
        by_identifier = self.profile.note.identifier_search.support == "yes"
        params = _identifier_params(ours) if by_identifier else self.listing(ours)
        listed = transport.search("DocumentReference", params)
        mine = next(identifiers(ours))
        marked = [stored_note(_as_stored(one), transport) for one in listed if mine in identifiers(one)]
        return marked or _same_text(ours, listed, transport)

    def create_provenance(self, transport: SignersTransport, body: bytes) -> Receipt:
        """See VendorAdapter.create_provenance."""
        _require_signers(transport)
        self._require("Provenance", "create")
        return transport.create("Provenance", body)

    def find_provenance(self, transport: FHIRTransport, target: str) -> list[dict[str, Any]]:
        """See VendorAdapter.find_provenance."""
        self._require("Provenance", "search")
        return transport.search("Provenance", [("target", target)])

    def listing(self, ours: dict[str, Any]) -> Params:
        """Return plan B's search: this patient's clinical notes of this visit, or since the day before."""
        encounters = ours.get("context", {}).get("encounter")
        params = [("patient", _id_of(ours["subject"]))]
        if encounters and ENCOUNTER in self.profile.note.search_parameters.value:
            return [*params, (ENCOUNTER, _id_of(encounters[0]))]
        category = f"{CLINICAL_NOTE['system']}|{CLINICAL_NOTE['code']}"
        return [*params, ("category", category), ("date", f"ge{day_before(ours)}")]

    def _condition(self, payload: bytes) -> dict[str, str]:
        if self.profile.note.conditional_create.support != "yes":
            return {}
        system, value = next(identifiers(json.loads(payload)))
        return {"If-None-Exist": urlencode({"identifier": f"{system}|{value}"})}

    def _require(self, resource_type: str, interaction: str) -> None:
        if not self.profile.supports(resource_type, interaction):
            raise Unsupported(self.profile.name, f"{interaction} {resource_type}")


def _require_signers(transport: FHIRTransport) -> None:
    # The types say so already; what is at stake is a note in a chart under somebody else's name.
    if not isinstance(transport, SignersTransport):
        raise NotTheSigners("a note leaves under its signer's own grant")


def _identifier_params(ours: dict[str, Any]) -> Params:
    system, value = next(identifiers(ours))
    return [("patient", _id_of(ours["subject"])), ("identifier", f"{system}|{value}")]


def _id_of(reference: dict[str, Any]) -> str:
    # The bare id is the form of a search value that every vendor's documents show.
    return str(reference["reference"]).rpartition("/")[2]


def day_before(ours: dict[str, Any]) -> str:
    """Return the day before a rendered note was signed."""
    # A day's margin: the EHR dates the note by its own clock and zone.
    signed = datetime.fromisoformat(ours["date"]).astimezone(UTC)
    return (signed - timedelta(days=1)).date().isoformat()


def _same_text(ours: dict[str, Any], listed: list[dict[str, Any]], transport: FHIRTransport) -> list[StoredNote]:
    """Return the notes of this patient that say the same and that no identifier of Countersign marks as another."""
    system, _ = next(identifiers(ours))
    unmarked = [one for one in listed if all(theirs != system for theirs, _ in identifiers(one))]
    patients = [one for one in unmarked if subject_of(one, transport) == ours["subject"]["reference"]]
    notes = [stored_note(_as_stored(one), transport) for one in patients]
    wanted = _text_digest(note_text(ours, transport))
    return [note for note in notes if _text_digest(note.text) == wanted]


def _text_digest(text: str) -> bytes:
    # EHRs rewrap lines and recompose accents; whether that matters is for the comparison to say.
    words = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.sha256(words.encode(errors="replace")).digest()


def _as_stored(resource: dict[str, Any]) -> Stored:
    body = json.dumps(resource, ensure_ascii=False).encode()
    return Stored(resource, str(resource.get("id", "")), version_of(resource, None), None, body)
