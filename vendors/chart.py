"""Reading a patient's chart: the parts in parallel, and no part able to fail the others.

What came late, was refused or made no sense stands in `Chart.unread`, so that a reviewer is told; only a
patient who cannot be read stops the reading. A record of another patient is left out and reported (A34).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import monotonic
from typing import Any

from fhirclient.models.allergyintolerance import AllergyIntolerance
from fhirclient.models.condition import Condition
from fhirclient.models.documentreference import DocumentReference
from fhirclient.models.encounter import Encounter
from fhirclient.models.medicationrequest import MedicationRequest
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient as PatientModel
from fhirclient.models.practitioner import Practitioner
from fhirclient.models.practitionerrole import PractitionerRole

from vendors import chart_items, errors
from vendors.chart_documents import document_or_reason
from vendors.chart_items import RETRACTED, Relative
from vendors.chart_values import Chart, ChartItem, Clinician, Document, Patient, Unread, Visit
from vendors.errors import VendorError
from vendors.fhirclient_models import MALFORMED, search_params, understood
from vendors.transport import FHIRTransport

__all__ = [
    "ENCOUNTER",
    "Asking",
    "Chart",
    "ChartItem",
    "Clinician",
    "Document",
    "Patient",
    "Unread",
    "Visit",
    "read_chart",
]

PATIENCE_SECONDS = 12.0
ENCOUNTER = "encounter"
_TEXT_GRACE_SECONDS = 2.0  # the texts get this much even where a late list used up the patience
_THREADS = 12
_MOST_ITEMS = 400
_MOST_DOCUMENTS = 60


@dataclass(frozen=True)
class Asking:
    """What an EHR takes in a search: a wished page size or none at all, and documents by their visit."""

    page_size: int | None = 100
    by_encounter: bool = True


@dataclass(frozen=True)
class _Part:
    """One search of the chart, and how its resources become items."""

    what: str
    model: Any
    criteria: dict[str, str]
    item: Callable[[Any, Relative], ChartItem]


_PARTS = (
    _Part("conditions", Condition, {}, chart_items.condition_item),
    _Part("medications", MedicationRequest, {}, chart_items.medication_item),
    _Part("allergies", AllergyIntolerance, {}, chart_items.allergy_item),
    _Part("vital signs", Observation, {"category": "vital-signs"}, chart_items.vital_item),
    _Part("lab results", Observation, {"category": "laboratory"}, chart_items.lab_item),
)


def read_chart(
    transport: FHIRTransport,
    patient_id: str,
    encounter_id: str | None,
    clinician_reference: str | None,
    patience_seconds: float = PATIENCE_SECONDS,
    asking: Asking = Asking(),
) -> Chart:
    """Return what of the chart could be read within the patience.

    Raises the transport's read errors for the patient; every other failure is listed in `unread`.
    """
    reader = _Reader(transport, patient_id, encounter_id, monotonic() + patience_seconds, asking)
    try:
        return reader.chart(clinician_reference)
    finally:
        reader.close()


class _Reader:
    """One reading: its threads, its deadline, and the list of what could not be read."""

    def __init__(
        self, transport: FHIRTransport, patient_id: str, encounter_id: str | None, deadline: float, asking: Asking
    ) -> None:
        self._transport = transport
        self._asking = asking
        self._patient_id = patient_id.removeprefix("Patient/")
        self._encounter_id = encounter_id.removeprefix("Encounter/") if encounter_id else None
        self._deadline = deadline
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="chart")
        self._unread: list[Unread] = []

    def close(self) -> None:
        """Let late reads end by themselves; nobody waits for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def chart(self, clinician_reference: str | None) -> Chart:
        patient = self._threads.submit(self._patient)
        searches = {part.what: self._threads.submit(self._search, part) for part in _PARTS}
        listed = [self._threads.submit(self._documents, criteria) for criteria in self._document_lists()]
        visit = self._threads.submit(self._visit) if self._encounter_id else None
        clinician = self._threads.submit(self._clinician, clinician_reference) if clinician_reference else None
        return Chart(
            patient=patient.result(),
            visit=self._awaited("visit", visit),
            clinician=self._awaited("clinician", clinician),
            documents=tuple(self._read_documents(listed)),
            items=tuple(item for what in searches for item in self._awaited(what, searches[what]) or ()),
            unread=tuple(dict.fromkeys(self._unread)),
        )

    def _awaited(self, what: str, reading: Future[Any] | None, deadline: float = 0) -> Any:
        """Return a part's result, or None after noting why there is none."""
        if reading is None:
            return None
        wait([reading], timeout=max(self._deadline - monotonic(), deadline - monotonic(), 0))
        if not reading.done():
            self._note(what, "timeout")
            return None
        try:
            return reading.result()
        except VendorError as failure:
            self._note(what, _why(failure))
        except MALFORMED:
            self._note(what, "unreadable")
        return None

    def _note(self, what: str, why: str) -> None:
        self._unread.append(Unread(what, why))

    def _patient(self) -> Patient:
        stored = self._transport.read("Patient", self._patient_id)
        model, _ = understood(PatientModel, stored.resource)
        try:
            return chart_items.patient_value(model, self._patient_reference)
        except MALFORMED:
            codes = ("unreadable-body",)
            raise errors.Unavailable(self._transport.vendor, "read Patient", issue_codes=codes) from None

    def _visit(self) -> Visit:
        stored = self._transport.read("Encounter", str(self._encounter_id))
        model, _ = understood(Encounter, stored.resource)
        return chart_items.visit_value(model, f"Encounter/{self._encounter_id}", self._transport.relative)

    def _clinician(self, reference: str) -> Clinician:
        resource_type, _, resource_id = self._transport.relative(reference).partition("/")
        stored = self._transport.read(resource_type, resource_id)
        if resource_type == "PractitionerRole":
            model, _ = understood(PractitionerRole, stored.resource)
            return chart_items.role_value(model, reference)
        model, _ = understood(Practitioner, stored.resource)
        return chart_items.practitioner_value(model, reference)

    def _search(self, part: _Part) -> list[ChartItem]:
        found = self._found(part.what, part.model, part.criteria, _MOST_ITEMS)
        items = [self._item(part, resource) for resource in found]
        return [item for item in items if item is not None]

    def _item(self, part: _Part, resource: dict[str, Any]) -> ChartItem | None:
        model, complete = understood(part.model, resource)
        reference = f"{model.resource_type}/{model.id}" if model.id else part.what
        try:
            item = part.item(model, self._transport.relative)
        except MALFORMED:
            self._note(reference, "unreadable")
            return None
        if item.status in RETRACTED:
            return None
        if not item.name or not model.id:
            self._note(reference, "unreadable")
            return None
        if not complete:
            self._note(reference, "incomplete")
        return item

    def _document_lists(self) -> Iterator[dict[str, str]]:
        # The visit's own documents first and apart: a long chart must not push the transcript out.
        if self._encounter_id and self._asking.by_encounter:
            yield {ENCOUNTER: self._encounter_id}
        yield {}

    def _documents(self, criteria: dict[str, str]) -> list[dict[str, Any]]:
        return self._found("documents", DocumentReference, criteria, _MOST_DOCUMENTS)

    def _read_documents(self, listed: Iterable[Future[list[dict[str, Any]]]]) -> Iterator[Document]:
        found = [one for reading in listed for one in self._awaited("documents", reading) or ()]
        at_least_until = monotonic() + _TEXT_GRACE_SECONDS
        once = {str(one.get("id")): one for one in found}
        readings = {
            f"DocumentReference/{key}": self._threads.submit(document_or_reason, one, self._transport)
            for key, one in once.items()
        }
        for reference, reading in readings.items():
            document = self._awaited(reference, reading, at_least_until)
            if isinstance(document, Document):
                yield document
            elif document is not None:
                self._note(reference, document)

    def _found(self, what: str, model: Any, criteria: dict[str, str], most: int) -> list[dict[str, Any]]:
        """Return a search's resources of this patient; notes what is another's, and what was cut off."""
        size = self._asking.page_size
        paged = {"_count": str(size)} if size else {}
        asked = search_params(model, {"patient": self._patient_id, **criteria, **paged})
        found = self._transport.search(model.resource_type, asked, first=most)
        if len(found) >= most:
            self._note(what, "truncated")
        own = [resource for resource in found if self._is_own(resource)]
        if len(own) < len(found):
            self._note(what, "other-patient")
        return own

    @property
    def _patient_reference(self) -> str:
        return f"Patient/{self._patient_id}"

    def _is_own(self, resource: dict[str, Any]) -> bool:
        subject = resource.get("subject") or resource.get("patient")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        return self._transport.relative(str(reference)) == self._patient_reference


_WHY: tuple[tuple[type[VendorError], str], ...] = (
    (errors.NotFound, "missing"),
    (errors.Rejected, "refused"),
    (errors.EgressBlocked, "refused"),
    (errors.Throttled, "throttled"),
    (VendorError, "unavailable"),
)
_TIMEOUTS = frozenset({"read-timeout", "connect-timeout", "too-slow"})


def _why(failure: VendorError) -> str:
    if _TIMEOUTS.intersection(failure.issue_codes):
        return "timeout"
    return next(why for leaf, why in _WHY if isinstance(failure, leaf))
