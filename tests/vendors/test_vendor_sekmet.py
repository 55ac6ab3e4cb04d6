"""The FHIR client against `sekmet`, a FHIR R4 server that shares no code with ours."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from signed_notes import TEXT, a_signed_note, created

from tests.ehr import free_port
from vendors import errors
from vendors.chart import read_chart
from vendors.contract import Related, VendorAdapter
from vendors.egress import EgressPolicy, guarded_session
from vendors.transport import FHIRTransport, SignersTransport

READY_WITHIN_SECONDS = 60
Adapters = dict[str, VendorAdapter]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home, port = tmp_path_factory.mktemp("sekmet"), free_port()
    settings = {
        "base_url": f"http://127.0.0.1:{port}/fhir",
        "db_path": str(home / "fhir.sqlite"),
        "data_dir": str(home / "data"),
        "own_private_key_path": str(home / "key.pem"),
        "simulator": {"enabled": False},
        "server_auth": {"types": ["bearer"], "tokens": ["good-token"]},
    }
    (home / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "sekmet"), "serve", "-c", str(home / "settings.yaml")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], cwd=home, stdout=log, stderr=log
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/fhir/metadata")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("sekmet did not start")


@pytest.fixture
def transport(origin: str) -> FHIRTransport:
    return _transport(origin, "good-token")


def _transport(origin: str, token: str) -> FHIRTransport:
    session = guarded_session(EgressPolicy(frozenset({origin}), allow_loopback=True))
    return SignersTransport(f"{origin}/fhir", session, token, "reference")


@pytest.fixture
def patient(transport: FHIRTransport) -> str:
    ana = {"resourceType": "Patient", "name": [{"family": "Rivera", "given": ["Ana"]}], "gender": "female"}
    receipt = transport.create("Patient", json.dumps(ana).encode())
    assert receipt.resource_id is not None
    return receipt.resource_id


def _note(adapter: VendorAdapter, patient: str, value: str) -> bytes:
    bare = {"encounter": None, "custodian": None}
    return adapter.render_note(a_signed_note(patient=f"Patient/{patient}", identifier_value=value, **bare))


def test_a_note_is_created_once_read_back_and_found(transport: FHIRTransport, patient: str, adapters: Adapters) -> None:
    """C02, C06."""
    reference = adapters["reference"]
    payload = _note(reference, patient, f"sekmet/{patient}")
    first, second = (reference.send(transport, created(payload)) for _ in range(2))
    assert (first.status, first.version, first.etag) == (201, "1", 'W/"1"')
    assert (second.status, second.resource_id) == (200, first.resource_id)
    stored = reference.read_note(transport, str(first.resource_id))
    assert (stored.text, stored.patient, stored.doc_status) == (TEXT, f"Patient/{patient}", "final")
    assert [label for _, label in stored.labels] == ["AIAST"]
    assert [note.resource_id for note in reference.find_notes(transport, payload)] == [first.resource_id]


def test_plan_b_finds_the_note_without_searching_identifiers(
    transport: FHIRTransport, patient: str, adapters: Adapters
) -> None:
    """C20."""
    athenaone, reference = adapters["athenaone"], adapters["reference"]
    payload = _note(reference, patient, f"plan-b/{patient}")
    filed = reference.send(transport, created(payload))
    reference.send(transport, created(_note(reference, patient, f"another/{patient}")))
    assert [note.resource_id for note in athenaone.find_notes(transport, payload)] == [filed.resource_id]


def test_a_provenance_is_found_by_the_note_whatever_version_it_names(
    transport: FHIRTransport, patient: str, adapters: Adapters
) -> None:
    """C23, C27."""
    reference = adapters["reference"]
    filed = reference.send(transport, created(_note(reference, patient, f"provenance/{patient}")))
    target = f"DocumentReference/{filed.resource_id}"
    body = {
        "resourceType": "Provenance",
        "target": [{"reference": f"{target}/_history/1"}],
        "recorded": "2026-11-22T20:32:07Z",
        "agent": [{"who": {"display": "Kwame Osei, MD"}}],
    }
    receipt = reference.create_provenance(transport, json.dumps(body).encode())
    found = reference.find_provenance(transport, target)
    assert [one["id"] for one in found] == [receipt.resource_id]


def test_a_filed_note_is_amended_and_retracted_over_the_version_that_was_seen(
    transport: SignersTransport, patient: str, adapters: Adapters
) -> None:
    """C11, C38: with a server that is not ours; a stale change is refused and the content survives."""
    reference = adapters["reference"]
    receipt = reference.send(transport, created(_note(reference, patient, f"amended/{patient}/1")))
    first = reference.read(transport, "DocumentReference", str(receipt.resource_id))
    signed = a_signed_note(
        patient=f"Patient/{patient}",
        identifier_value=f"amended/{patient}/2",
        encounter=None,
        custodian=None,
        text="lisinopril 10 mg daily.",
        doc_status="amended",
    )
    write = reference.amendment(first, signed)
    assert reference.send(transport, write).version == "2"
    for stale in (write, reference.retraction(first)):
        with pytest.raises(errors.VersionConflict):
            reference.send(transport, stale)
    second = reference.read(transport, "DocumentReference", first.resource_id)
    reference.send(transport, reference.retraction(second))
    note = reference.read_note(transport, first.resource_id)
    assert (note.status, note.doc_status, note.text) == ("entered-in-error", "amended", signed.text)
    assert [value for _, value in note.identifiers] == [f"amended/{patient}/2", f"amended/{patient}/1"]
    earlier = reference.read_version(transport, "DocumentReference", first.resource_id, "1")
    assert earlier.version == "1"


def test_an_addendum_stands_beside_its_original(transport: SignersTransport, patient: str, adapters: Adapters) -> None:
    """C36: read back from a server that is not ours."""
    reference = adapters["reference"]
    original = f"added-to/{patient}/1"
    filed = reference.send(transport, created(_note(reference, patient, original)))
    related = Related("appends", f"DocumentReference/{filed.resource_id}", a_signed_note().identifier_system, original)
    addendum = a_signed_note(
        patient=f"Patient/{patient}",
        identifier_value=f"added-to/{patient}/2",
        encounter=None,
        custodian=None,
        relates_to=related,
    )
    receipt = reference.send(transport, created(reference.render_note(addendum)))
    assert reference.read_note(transport, str(receipt.resource_id)).relates_to == (related,)
    assert reference.read_note(transport, str(filed.resource_id)).status == "current"


def test_a_long_search_is_read_over_all_pages(transport: FHIRTransport, patient: str) -> None:
    for number in range(7):
        body = {
            "resourceType": "Condition",
            "subject": {"reference": f"Patient/{patient}"},
            "code": {"text": f"Problem {number}"},
        }
        transport.create("Condition", json.dumps(body).encode())
    found = transport.search("Condition", [("patient", patient), ("_count", "2")])
    assert sorted(one["code"]["text"] for one in found) == [f"Problem {number}" for number in range(7)]


def test_a_chart_is_read(transport: FHIRTransport, patient: str, adapters: Adapters) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient}"},
        "medicationCodeableConcept": {"text": "lisinopril 20 mg tablet"},
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}],
    }
    transport.create("MedicationRequest", json.dumps(order).encode())
    adapters["reference"].send(transport, created(_note(adapters["reference"], patient, f"chart/{patient}")))
    chart = read_chart(transport, patient, None, None)
    assert (chart.patient.family, chart.unread) == ("Rivera", ())
    assert [item.text for item in chart.items] == ["lisinopril 20 mg tablet, once daily"]
    assert [document.text for document in chart.documents] == [TEXT]


def test_its_refusals_become_our_errors(origin: str, transport: FHIRTransport, patient: str) -> None:
    with pytest.raises(errors.NotFound):
        transport.read("Patient", "no-such-patient")
    with pytest.raises(errors.InvalidResource):
        transport.create("DocumentReference", b'{"resourceType": "DocumentReference", "status": "nonsense"}')
    with pytest.raises(errors.TokenRefused):
        _transport(origin, "bad-token").read("Patient", patient)
