"""Plain FHIR R4 behaviour, steered by a profile; a vendor's module adds only what is different.

Sources: FHIR R4 http.html; conformance C06, C07, C09, C20, C25; 0.10 (US Core search parameters).
"""

from __future__ import annotations

import json
from typing import Any, Self
from urllib.parse import urlencode

from vendors.amendments import MARKS, amended, retracted, retraction_patch, version_to_match
from vendors.chart import ENCOUNTER, Asking, Chart, read_chart
from vendors.contract import Receipt, SignedNote, Stored, StoredNote, Write, WriteInteraction
from vendors.entries import SignedEntry, render_entry
from vendors.errors import InvalidResource, NotFound, Rejected, Unsupported
from vendors.finding import (
    Params,
    as_stored,
    day_before,
    id_of,
    identifier_params,
    own_identifier,
    patient_params,
    same_resource,
    same_text,
)
from vendors.notes import CLINICAL_NOTE, identifiers, render, stored_note
from vendors.profile import Profile
from vendors.transport import FHIRTransport, NotTheSigners, SignersTransport
from vendors.write_rules import broken_rule


class FHIRR4:
    """An EHR that keeps to FHIR R4 as far as its profile says so."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def without_identifiers(self) -> Self:
        """See VendorAdapter.without_identifiers."""
        return type(self)(self.profile.without_identifiers())

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

    def render_entry(self, entry: SignedEntry) -> bytes:
        """See VendorAdapter.render_entry."""
        return render_entry(entry, self.profile)

    def amendment(self, stored: Stored, note: SignedNote) -> Write:
        """See VendorAdapter.amendment."""
        if "in_place" not in self.profile.note.amendment.value:
            raise Unsupported(self.profile.name, "amend DocumentReference")
        if note.doc_status != "amended":
            raise InvalidResource(self.profile.name, "amend DocumentReference", issue_codes=("not-marked-amended",))
        return self._change("update", stored, amended(stored, self.render_note(note)))

    def retraction(self, stored: Stored) -> Write:
        """See VendorAdapter.retraction."""
        kind = str(stored.resource["resourceType"])
        way = self.profile.retraction_of(kind)
        if way == "none" or MARKS[kind] is None:
            raise Unsupported(self.profile.name, f"retract {kind}")
        return self._change(way, stored, retracted(stored) if way == "update" else retraction_patch(stored))

    def send(self, transport: SignersTransport, write: Write) -> Receipt:
        """See VendorAdapter.send; a create is conditional where the profile says that this is honoured."""
        _require_signers(transport)
        self._require(write.resource_type, write.interaction)
        if broken := broken_rule(write):
            raise InvalidResource(
                self.profile.name, f"{write.interaction} {write.resource_type}", issue_codes=(broken,)
            )
        if write.interaction == "create":
            return transport.create(write.resource_type, write.payload, self._condition(write))
        change = transport.update if write.interaction == "update" else transport.patch
        return change(write.resource_type, write.target_id, write.payload, write.if_match)

    def read(self, transport: FHIRTransport, resource_type: str, resource_id: str) -> Stored:
        """See VendorAdapter.read."""
        self._require(resource_type, "read")
        return transport.read(resource_type, resource_id)

    def read_version(self, transport: FHIRTransport, resource_type: str, resource_id: str, version: str) -> Stored:
        """See VendorAdapter.read_version; R4 leaves it to the server whether it keeps versions to read."""
        self._require(resource_type, "read")
        try:
            return transport.read_version(resource_type, resource_id, version)
        except Rejected as refusal:
            if type(refusal) not in (Rejected, NotFound):  # a missing right or token is no missing history
                raise
        return transport.read(resource_type, resource_id)

    def find(self, transport: FHIRTransport, resource_type: str, payload: bytes) -> list[Stored]:
        """See VendorAdapter.find; lists and compares where our identifier cannot be searched or is not found (C20)."""
        self._require(resource_type, "search")
        ours = json.loads(payload)
        if self.profile.entry.identifier_search.support == "yes":
            listed = transport.search(resource_type, identifier_params(ours))
            if found := same_resource(ours, listed, transport):
                return [as_stored(one) for one in found]
        # An EHR that dropped our identifier finds nothing by it: that alone never counts as absence.
        listed = transport.search(resource_type, patient_params(ours))
        return [as_stored(one) for one in same_resource(ours, listed, transport)]

    def read_note(self, transport: FHIRTransport, resource_id: str) -> StoredNote:
        """See VendorAdapter.read_note."""
        self._require("DocumentReference", "read")
        return stored_note(transport.read("DocumentReference", resource_id), transport)

    def find_notes(self, transport: FHIRTransport, payload: bytes) -> list[StoredNote]:
        """See VendorAdapter.find_notes; lists and compares as `find` does (C20)."""
        self._require("DocumentReference", "search")
        ours = json.loads(payload)
        if self.profile.note.identifier_search.support == "yes":
            listed = transport.search("DocumentReference", identifier_params(ours))
            if marked := self._marked(ours, listed, transport):
                return marked
        listed = transport.search("DocumentReference", self.listing(ours))
        return self._marked(ours, listed, transport) or same_text(ours, listed, transport)

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
        params = [("patient", id_of(ours["subject"]))]
        if encounters and ENCOUNTER in self.profile.note.search_parameters.value:
            return [*params, (ENCOUNTER, id_of(encounters[0]))]
        category = f"{CLINICAL_NOTE['system']}|{CLINICAL_NOTE['code']}"
        return [*params, ("category", category), ("date", f"ge{day_before(ours)}")]

    def _marked(self, ours: dict[str, Any], listed: list[dict[str, Any]], transport: FHIRTransport) -> list[StoredNote]:
        mine = own_identifier(ours)
        return [stored_note(as_stored(one), transport) for one in listed if mine in identifiers(one)]

    def _change(self, way: WriteInteraction, stored: Stored, payload: bytes) -> Write:
        kind = str(stored.resource["resourceType"])
        if not (version := version_to_match(stored)):
            raise InvalidResource(self.profile.name, f"{way} {kind}", issue_codes=("version-not-told",))
        return Write(kind, way, payload, stored.resource_id, version)

    def _condition(self, write: Write) -> dict[str, str]:
        rules = self.profile.note if write.resource_type == "DocumentReference" else self.profile.entry
        if rules.conditional_create.support != "yes":
            return {}
        return {"If-None-Exist": urlencode({"identifier": "|".join(own_identifier(json.loads(write.payload)))})}

    def _require(self, resource_type: str, interaction: str) -> None:
        if not self.profile.supports(resource_type, interaction):
            raise Unsupported(self.profile.name, f"{interaction} {resource_type}")


def _require_signers(transport: FHIRTransport) -> None:
    # The types say so already; what is at stake is a note in a chart under somebody else's name.
    if not isinstance(transport, SignersTransport):
        raise NotTheSigners("a note leaves under its signer's own grant")
