"""From the chart as the vendor room read it to what a drafter works from."""

from app.drafting.draft import ClinicianIdentity, PatientIdentity, Source, SourceKind, VisitIdentity
from app.drafting.material import Entry, VisitMaterial
from vendors.chart import Chart, ChartItem, Document, Unread

LARGEST_TRANSCRIPT = 400_000
WORDS_FOR_UNREAD = {
    "timeout": "the EHR took too long",
    "refused": "the EHR did not allow it",
    "missing": "the EHR does not have it",
    "throttled": "the EHR asked us to slow down",
    "unavailable": "the EHR gave no usable answer",
    "unreadable": "what came is not readable",
    "incomplete": "what came is incomplete",
    "truncated": "there was more than we read",
    "other-patient": "it belongs to another patient, so it was not used",
    "not-text": "it is not text",
    "too-large": "it is too large",
}


def visit_material(chart: Chart, clinician: ClinicianIdentity, transcript_type: str) -> VisitMaterial:
    """Arrange `chart` as sources. `transcript_type` is the `system|code` that this tenant's transcripts carry."""
    transcript, unread = _transcript(chart, transcript_type)
    visit_reference = chart.visit.reference if chart.visit else None
    return VisitMaterial(
        patient=_patient(chart),
        visit=_visit(chart),
        clinician=clinician,
        transcript=transcript,
        entries=tuple(_entry(item, visit_reference) for item in chart.items),
        documents=tuple(_document(document) for document in chart.documents if not _is(document, transcript_type)),
        unread=(*unread, *(_in_words(gap) for gap in chart.unread)),
    )


def _transcript(chart: Chart, transcript_type: str) -> tuple[Source | None, tuple[str, ...]]:
    """The transcript of this very visit; one of another visit is never taken for it."""
    if chart.visit is None:
        return None, ("No visit is open, so no transcript was used. The draft rests on the chart alone.",)
    visit = chart.visit.reference
    found = [document for document in chart.documents if _is(document, transcript_type) and document.encounter == visit]
    if not found:
        return None, ("There is no transcript for this visit. The draft rests on the chart alone.",)
    document = found[-1]
    if not document.text.strip():
        return None, ("The transcript of this visit is empty. The draft rests on the chart alone.",)
    text, cut = document.text[:LARGEST_TRANSCRIPT], len(document.text) > LARGEST_TRANSCRIPT
    said = (f"The transcript is very long; only its first {LARGEST_TRANSCRIPT:,} characters were used.",) if cut else ()
    source = Source(
        id="transcript",
        kind=SourceKind.TRANSCRIPT,
        reference=document.reference,
        version=document.version,
        title="Visit transcript",
        text=text,
    )
    return source, said


def _is(document: Document, system_and_code: str) -> bool:
    return system_and_code in {f"{system}|{code}" for system, code in document.type_codes}


def _entry(item: ChartItem, visit: str | None) -> Entry:
    title = item.name if item.kind == "medication" else item.kind.capitalize()
    source = Source(
        id=item.reference,
        kind=SourceKind.CHART,
        reference=item.reference,
        version=item.version,
        title=title,
        text=item.text,
    )
    return Entry(source, item.kind, item.name, item.value or "", bool(visit) and item.encounter == visit, item.codes)


def _document(document: Document) -> Source:
    return Source(
        id=document.reference,
        kind=SourceKind.DOCUMENT,
        reference=document.reference,
        version=document.version,
        title=document.title,
        text=document.text,
    )


def _patient(chart: Chart) -> PatientIdentity:
    fields = ("reference", "version", "family", "given", "sex", "birth_date", "mrn")
    return PatientIdentity(**{name: getattr(chart.patient, name) for name in fields})


def _visit(chart: Chart) -> VisitIdentity | None:
    visit = chart.visit
    if visit is None:
        return None
    title = visit.reason or visit.class_display or "Visit"
    return VisitIdentity(
        reference=visit.reference,
        version=visit.version,
        title=title,
        start=visit.start,
        end=visit.end,
        organization=visit.organization,
    )


def _in_words(gap: Unread) -> str:
    return f"Not read: {gap.what} ({WORDS_FOR_UNREAD.get(gap.why, gap.why)})."
