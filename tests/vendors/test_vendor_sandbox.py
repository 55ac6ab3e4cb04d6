"""The chart reader and the adapters against the simulated Epic, athenaOne and reference EHRs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from signed_notes import a_signed_note

from tests.ehr import RunningSandbox, running_sandbox
from tests.sandbox.smart_app import REDIRECT_URI, SECRET, App
from vendors import errors
from vendors.chart import Chart, Unread, read_chart
from vendors.contract import Receipt, SignedNote, StoredNote, VendorAdapter
from vendors.egress import EgressPolicy, guarded_session
from vendors.transport import FHIRTransport, SignersTransport

EHRS = ("epic", "athenaone", "reference", "ecw")
FILING = ("epic", "reference")
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
        return self.adapter.create_note(self.transport, payload)

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
    payload = launched.adapter.render_note(launched.signed())
    first, second = launched.file(payload), launched.file(payload)
    assert (first.status, second.status, second.resource_id) == (201, 200, first.resource_id)


@every("epic")
def test_epics_create_reply_is_empty_and_still_names_the_note(launched: Launched) -> None:
    receipt = launched.file(launched.adapter.render_note(launched.signed()))
    assert (receipt.status, receipt.body, receipt.etag) == (201, b"", None)
    assert receipt.resource_id is not None


@every(*FILING)
@pytest.mark.parametrize("fault", ["commit_then_hang", "commit_then_500"])
def test_a_note_whose_reply_was_lost_is_unknown_and_then_found_once(launched: Launched, fault: str) -> None:
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
