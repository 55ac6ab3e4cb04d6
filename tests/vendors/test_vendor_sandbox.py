"""The chart reader and the adapters against the simulated Epic, athenaOne and reference EHRs."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from signed_notes import a_signed_note, created

from tests.ehr import RunningSandbox, running_sandbox
from tests.sandbox.smart_app import REDIRECT_URI, SECRET, App
from vendors import errors
from vendors.amendments import retraction_patch, version_to_match
from vendors.chart import Chart, Unread, read_chart
from vendors.contract import Receipt, Related, SignedNote, Stored, StoredNote, VendorAdapter, Write
from vendors.egress import EgressPolicy, guarded_session
from vendors.transport import FHIRTransport, SignersTransport

EHRS = ("epic", "athenaone", "reference", "ecw")
FILING = ("epic", "reference")
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
Adapters = dict[str, VendorAdapter]


@dataclass
class Launched:
    """One launch by a clinician, as the app has it after the callback."""

    adapter: VendorAdapter
    transport: FHIRTransport
    patient: str
    encounter: str
    author: str
    ehr: str
    sandbox: RunningSandbox

    def signed(self, **changes: Any) -> SignedNote:
        return a_signed_note(
            **{
                "patient": f"Patient/{self.patient}",
                "encounter": f"Encounter/{self.encounter}",
                "author": self.author,
                "custodian": None,
                "signed_at": datetime.now(UTC),
                "identifier_value": f"test/{datetime.now(UTC).timestamp()}",
                **changes,
            }
        )

    def file(self, payload: bytes) -> Receipt:
        return self.adapter.send(self.transport, created(payload))

    def stored(self, receipt: Receipt) -> Stored:
        return self.adapter.read(self.transport, "DocumentReference", str(receipt.resource_id))

    def found(self, payload: bytes) -> list[StoredNote]:
        return self.adapter.find_notes(self.transport, payload)

    def chart(self, **more: Any) -> Chart:
        if more:
            return read_chart(self.transport, self.patient, self.encounter, self.author, **more)
        return self.adapter.read_chart(self.transport, self.patient, self.encounter, self.author)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    home: Path = tmp_path_factory.mktemp("vendors-sandbox")
    client = {
        "client_id": "secret-app",
        "redirect_uris": [REDIRECT_URI],
        "launch_url": "http://app.localhost:1/launch",
        "auth": {"method": "client_secret_basic", "secret": SECRET},
    }
    with running_sandbox(home, {ehr: [client] for ehr in EHRS}) as running:
        yield running


@pytest.fixture
def launched(request: pytest.FixtureRequest, sandbox: RunningSandbox, adapters: Adapters) -> Iterator[Launched]:
    ehr = str(request.param)
    scope = " ".join(adapters[ehr].profile.scope_strings(v2=True))
    app = App(sandbox, ehr, sandbox.patient(ehr, "Rivera, Ana"), scope=scope).launched()
    origins = frozenset({sandbox.origin})
    session = guarded_session(EgressPolicy(origins, allow_loopback=True, read_timeout_seconds=2))
    transport = SignersTransport(app.opened["iss"], session, app.grant["access_token"], ehr)
    yield Launched(
        adapters[ehr],
        transport,
        app.grant["patient"],
        app.grant["encounter"],
        transport.relative(_fhir_user(app)),
        ehr,
        sandbox,
    )
    sandbox.clear_faults(ehr)


def _fhir_user(app: App) -> str:
    tokens = app.sandbox.qa(app.ehr, "tokens")
    return str(tokens[-1]["fhir_user"])


def every(*ehrs: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("launched", ehrs, indirect=True)


@every(*EHRS)
def test_the_whole_chart_is_read(launched: Launched) -> None:
    chart = launched.chart()
    assert chart.unread == ()
    assert (chart.patient.family, chart.patient.given, chart.patient.mrn) == ("Rivera", "Ana", "1002345")
    assert chart.visit is not None
    assert chart.visit.subject == chart.patient.reference
    assert chart.clinician is not None
    assert chart.clinician.name
    texts = [item.text for item in chart.items]
    assert "lisinopril 20 mg tablet, Take 1 tablet (20 mg) by mouth once daily" in texts
    assert "Essential hypertension" in texts
    assert "Penicillin: Hives (moderate)" in texts
    assert [item.value for item in chart.items if item.name.lower() == "blood pressure"]
    assert {item.kind for item in chart.items} == {"condition", "medication", "allergy", "vital", "lab"}


@every(*EHRS)
def test_the_transcript_of_the_visit_is_among_the_documents(launched: Launched) -> None:
    documents = launched.chart().documents
    kinds = {code for document in documents for _, code in document.type_codes}
    (transcript,) = [
        document
        for document in documents
        if any(code == "visit-transcript" for _, code in document.type_codes)
        and document.encounter == f"Encounter/{launched.encounter}"
    ]
    assert kinds >= {"visit-transcript", "11506-3"}
    assert "[doctor]" in transcript.text


@every(*EHRS)
def test_a_part_that_hangs_is_listed_and_the_rest_is_read(launched: Launched) -> None:
    launched.sandbox.arm(
        launched.ehr, interaction="search", resource_type="AllergyIntolerance", fault="hang", seconds=4, times=1
    )
    chart = launched.chart(patience_seconds=1.5)
    assert chart.unread == (Unread("allergies", "timeout"),)
    assert chart.documents


@every(*FILING)
def test_a_note_is_filed_read_back_and_found(launched: Launched) -> None:
    note = launched.signed(text=f"Dizziness for 3 days. Señora Rivera.\n{datetime.now(UTC)}")
    payload = launched.adapter.render_note(note)
    receipt = launched.file(payload)
    assert (receipt.status, receipt.resource_id is not None) == (201, True)
    stored = launched.adapter.read_note(launched.transport, str(receipt.resource_id))
    assert stored.text == note.text
    assert (stored.patient, stored.encounter) == (note.patient, note.encounter)
    assert stored.authors == (note.author,)
    assert [one.resource_id for one in launched.found(payload)] == [receipt.resource_id]


@every("reference")
def test_a_second_conditional_create_returns_the_first_note(launched: Launched) -> None:
    """C06."""
    payload = launched.adapter.render_note(launched.signed())
    first, second = launched.file(payload), launched.file(payload)
    assert (first.status, second.status, second.resource_id) == (201, 200, first.resource_id)


@every("epic")
def test_epics_create_reply_is_empty_and_still_names_the_note(launched: Launched) -> None:
    """C02, C05."""
    receipt = launched.file(launched.adapter.render_note(launched.signed()))
    assert (receipt.status, receipt.body, receipt.etag) == (201, b"", None)
    assert receipt.resource_id is not None


@every(*FILING)
@pytest.mark.parametrize("fault", ["commit_then_hang", "commit_then_500"])
def test_a_note_whose_reply_was_lost_is_unknown_and_then_found_once(launched: Launched, fault: str) -> None:
    """C15, C20."""
    payload = launched.adapter.render_note(launched.signed(text=f"Lost reply {datetime.now(UTC)}"))
    launched.sandbox.arm(
        launched.ehr, interaction="create", resource_type="DocumentReference", fault=fault, seconds=4, times=1
    )
    with pytest.raises(errors.OutcomeUnknown):
        launched.file(payload)
    assert len(launched.found(payload)) == 1


@every(*FILING)
@pytest.mark.parametrize("fault", ["hang", "answer_500", "drop_connection"])
def test_a_note_that_was_never_stored_is_unknown_and_then_absent(launched: Launched, fault: str) -> None:
    payload = launched.adapter.render_note(launched.signed(text=f"Never stored {datetime.now(UTC)}"))
    launched.sandbox.arm(
        launched.ehr, interaction="create", resource_type="DocumentReference", fault=fault, seconds=4, times=1
    )
    with pytest.raises(errors.OutcomeUnknown):
        launched.file(payload)
    assert launched.found(payload) == []


@every("athenaone")
def test_athenaone_is_never_sent_a_note_and_refuses_one_if_it_is(launched: Launched) -> None:
    payload = launched.adapter.render_note(launched.signed())
    with pytest.raises(errors.Unsupported):
        launched.file(payload)
    with pytest.raises(errors.Rejected):
        launched.transport.create("DocumentReference", payload)
    assert launched.sandbox.qa("athenaone", "writes") == []
    assert launched.found(payload) == []


@every("reference")
def test_a_provenance_is_filed_and_found_by_its_target(launched: Launched) -> None:
    """C23."""
    note = launched.file(launched.adapter.render_note(launched.signed()))
    target = f"DocumentReference/{note.resource_id}"
    receipt = launched.adapter.create_provenance(launched.transport, _provenance(target, launched.author))
    found = launched.adapter.find_provenance(launched.transport, target)
    assert [one["id"] for one in found] == [receipt.resource_id]


@every(*FILING)
def test_a_token_that_the_ehr_does_not_know_is_refused_as_such(launched: Launched) -> None:
    origins = frozenset({launched.sandbox.origin})
    session = guarded_session(EgressPolicy(origins, allow_loopback=True))
    stranger = FHIRTransport(launched.transport.base_url, session, "not-a-token", launched.ehr)
    with pytest.raises(errors.TokenRefused):
        stranger.read("Patient", launched.patient)


# --- changing what is filed


@every("reference")
def test_an_amendment_whose_reply_was_lost_is_refused_when_repeated_and_found_by_reading(launched: Launched) -> None:
    """C11, C12: the 412 is our own doing, and the EHR shows it."""
    adapter, transport = launched.adapter, launched.transport
    launched.sandbox.arm("reference", interaction="update", fault="version_required")
    first = launched.stored(launched.file(adapter.render_note(launched.signed())))
    signed = launched.signed(text="lisinopril 10 mg daily.", doc_status="amended")
    amendment = adapter.amendment(first, signed)
    launched.sandbox.arm("reference", interaction="update", fault="commit_then_reset", times=1)
    with pytest.raises(errors.OutcomeUnknown):
        adapter.send(transport, amendment)
    with pytest.raises(errors.VersionConflict):
        adapter.send(transport, amendment)
    note = adapter.read_note(transport, first.resource_id)
    assert (note.text, note.doc_status) == (signed.text, "amended")
    assert note.identifiers[0] == (signed.identifier_system, signed.identifier_value)
    assert adapter.read_version(transport, "DocumentReference", first.resource_id, "1").body == first.body


@every("reference")
def test_a_retraction_leaves_all_that_was_written(launched: Launched) -> None:
    """C38."""
    first = launched.stored(launched.file(launched.adapter.render_note(launched.signed())))
    launched.adapter.send(launched.transport, launched.adapter.retraction(first))
    now = launched.adapter.read(launched.transport, "DocumentReference", first.resource_id).resource
    assert {**now, "meta": None} == {**first.resource, "meta": None, "status": "entered-in-error"}


@every("reference")
def test_a_stale_patch_is_refused_by_its_version_and_by_its_test(launched: Launched) -> None:
    """C13."""
    first = launched.stored(launched.file(launched.adapter.render_note(launched.signed())))
    patch = retraction_patch(first)
    stale = Write("DocumentReference", "patch", patch, first.resource_id, version_to_match(first))
    launched.adapter.send(launched.transport, launched.adapter.retraction(first))
    now = launched.adapter.read(launched.transport, "DocumentReference", first.resource_id)
    assert now.version == "2"
    for one in (stale, replace(stale, if_match=version_to_match(now))):
        with pytest.raises(errors.VersionConflict):
            launched.adapter.send(launched.transport, one)


@every("reference")
@pytest.mark.parametrize(
    ("code", "fault", "status"),
    [("replaces", "", "superseded"), ("replaces", "replaces_ignored", "current"), ("appends", "", "current")],
)
def test_what_a_later_note_does_to_its_original_is_read_back(
    launched: Launched, code: Any, fault: str, status: str
) -> None:
    """C36: an EHR may keep the relation and do nothing about it."""
    original = launched.signed()
    filed = launched.file(launched.adapter.render_note(original))
    if fault:
        launched.sandbox.arm("reference", interaction="create", fault=fault)
    place = f"DocumentReference/{filed.resource_id}"
    related = Related(code, place, original.identifier_system, original.identifier_value)
    later = launched.file(launched.adapter.render_note(launched.signed(relates_to=related)))
    assert launched.adapter.read_note(launched.transport, str(later.resource_id)).relates_to == (related,)
    assert launched.adapter.read_note(launched.transport, str(filed.resource_id)).status == status


@every("reference")
def test_a_condition_that_is_ignored_makes_two_notes_and_the_search_shows_both(launched: Launched) -> None:
    """C07, C20: a promise of the profile is never the only guard; whoever is unsure searches before sending again."""
    payload = launched.adapter.render_note(launched.signed())
    launched.sandbox.arm("reference", interaction="create", fault="condition_ignored", times=2)
    filed = [launched.file(payload).resource_id for _ in range(2)]
    assert sorted(one.resource_id for one in launched.found(payload)) == sorted(map(str, filed))


@every("reference")
@pytest.mark.parametrize("fault", ["", "commit_then_500", "drop_identifier"])
def test_an_entry_is_found_again_whatever_became_of_its_reply(launched: Launched, fault: str) -> None:
    """C19, C20, F25."""
    sent = json.dumps(_pulse(launched)).encode()
    if fault:
        launched.sandbox.arm("reference", interaction="create", fault=fault, times=1)
    with contextlib.suppress(errors.OutcomeUnknown):
        launched.adapter.send(launched.transport, Write("Observation", "create", sent))
    found = launched.adapter.find(launched.transport, "Observation", sent)
    assert len(found) == 1


def _pulse(launched: Launched) -> dict[str, Any]:
    value = f"entry/{datetime.now(UTC).timestamp()}"
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://countersign.example/entries", "value": value}],
        "status": "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{launched.patient}"},
        "encounter": {"reference": f"Encounter/{launched.encounter}"},
        "effectiveDateTime": datetime.now(UTC).isoformat(timespec="seconds"),
        "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }


def _provenance(target: str, author: str) -> bytes:
    agent = {"type": {"text": "author"}, "who": {"reference": author}}
    recorded = datetime.now(UTC).isoformat(timespec="seconds")
    body = {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": recorded,
        "agent": [agent],
    }
    return json.dumps(body).encode()
