"""Signed changes on their way out: create, update and patch, and what the EHR answers to each."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scripted_server import Answer, Reply, Request, ScriptedServer, bundle, fhir, outcome
from signed_notes import a_signed_note, created

from vendors import errors
from vendors.contract import Write
from vendors.egress import EgressPolicy, guarded_session
from vendors.fhir_r4 import FHIRR4
from vendors.outcomes import STATUS_TABLE, Interaction
from vendors.transport import FHIRTransport, SignersTransport

Serve = Callable[[Answer], ScriptedServer]
To = Callable[..., SignersTransport]
Adapters = dict[str, FHIRR4]

SYSTEM = "https://countersign.example/notes"
NOTE = {"resourceType": "DocumentReference", "id": "88", "status": "entered-in-error"}
UPDATE = Write("DocumentReference", "update", json.dumps(NOTE).encode(), "88", 'W/"3"')
PATCH = Write(
    "DocumentReference",
    "patch",
    b'[{"op":"test","path":"/status","value":"current"},{"op":"replace","path":"/status","value":"entered-in-error"}]',
    "88",
    'W/"3"',
)
CHANGES = pytest.mark.parametrize("write", [UPDATE, PATCH], ids=["update", "patch"])


def entry(**changes: Any) -> dict[str, Any]:
    """An allergy as it is signed beside a note."""
    return {
        "resourceType": "AllergyIntolerance",
        "identifier": [{"system": "https://countersign.example/entries", "value": "tenant-1/note-7/1/a"}],
        "patient": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}]},
        "recordedDate": "2026-11-22T20:32:07Z",
        **changes,
    }


# --- what leaves


def test_an_update_puts_the_exact_bytes_over_the_version_that_was_seen(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C11, C12: If-Match goes with every update, so a server that demands it is served."""
    demanding: Answer = lambda request: Reply(200) if "If-Match" in request.headers else Reply(412)  # noqa: E731
    server = serve(demanding)
    adapters["reference"].send(transport_to(server), UPDATE)
    sent = server.requests[0]
    assert (sent.method, sent.path, sent.body) == ("PUT", "/fhir/R4/DocumentReference/88", UPDATE.payload)
    assert (sent.headers["If-Match"], sent.headers["Content-Type"]) == ('W/"3"', "application/fhir+json")
    assert sent.headers["Authorization"] == "Bearer secret-token"


def test_a_patch_says_its_own_type_and_tests_what_it_changes(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C13."""
    server = serve(lambda request: Reply(200))
    adapters["reference"].send(transport_to(server), PATCH)
    sent = server.requests[0]
    assert (sent.method, sent.path, sent.body) == ("PATCH", "/fhir/R4/DocumentReference/88", PATCH.payload)
    assert (sent.headers["If-Match"], sent.headers["Content-Type"]) == ('W/"3"', "application/json-patch+json")


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (replace(UPDATE, if_match=""), "if-match-missing"),
        (replace(UPDATE, if_match="*"), "invalid-if-match"),
        (replace(UPDATE, if_match='W/"3"\r\nX-Evil: 1'), "invalid-if-match"),
        (replace(UPDATE, target_id=""), "target-missing"),
        (replace(UPDATE, target_id="89"), "id-not-its-address"),
        (
            replace(UPDATE, target_id="../88", payload=b'{"resourceType":"DocumentReference","id":"../88"}'),
            "invalid-id",
        ),
        (replace(UPDATE, resource_type="Encounter"), "not-its-type"),
        (replace(UPDATE, payload=b"{"), "not-json"),
        (replace(PATCH, if_match=""), "if-match-missing"),
        (replace(PATCH, payload=b'[{"op":"replace","path":"/status","value":"x"}]'), "patch-without-test"),
        (replace(PATCH, payload=b"[]"), "not-a-patch"),
        (replace(PATCH, payload=b'{"op":"test"}'), "not-a-patch"),
        (Write("DocumentReference", "create", b'{"resourceType":"DocumentReference"}'), "identifier-missing"),
        (created(b'{"resourceType":"Patient","identifier":[{}]}'), "not-its-type"),
        (replace(created(json.dumps({**NOTE, "identifier": [{}]}).encode()), target_id="88"), "target-not-empty"),
    ],
)
def test_a_write_that_breaks_a_rule_of_its_interaction_does_not_leave(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write, code: str
) -> None:
    """C10, C11, C13: refused here, by code, before any byte."""
    server = serve(lambda request: Reply(200))
    with pytest.raises(errors.InvalidResource) as caught:
        adapters["reference"].send(transport_to(server), write)
    assert (caught.value.issue_codes, server.requests) == ((code,), [])


@CHANGES
@pytest.mark.parametrize("vendor", ["athenaone", "ecw", "epic", "veradigm"])
def test_where_no_source_says_that_a_note_can_be_changed_no_change_leaves(
    serve: Serve, transport_to: To, adapters: Adapters, vendor: str, write: Write
) -> None:
    """C13: a patch goes only where it is listed, and so does an update."""
    server = serve(lambda request: Reply(200))
    with pytest.raises(errors.Unsupported):
        adapters[vendor].send(transport_to(server), write)
    assert server.requests == []


# --- what the EHR answers


@pytest.mark.parametrize("write", [created(b""), UPDATE, PATCH], ids=["create", "update", "patch"])
def test_the_wire_obeys_the_table_for_every_status_of_a_write(serve: Serve, write: Write) -> None:
    """C15: every code and every verb; none has a meaning of its own on the way."""
    server = serve(lambda request: Reply())
    session = guarded_session(EgressPolicy(frozenset({server.origin}), allow_loopback=True))
    transport = FHIRTransport(f"{server.origin}/fhir", session, "t", "epic")
    table = STATUS_TABLE[Interaction(write.interaction)]
    for status in (s for s in range(200, 600) if s != 304):
        server.answer = lambda _, said=status: Reply(said)  # type: ignore[misc]
        assert _ending(transport, write) is table[status], status


def _ending(transport: FHIRTransport, write: Write) -> type[errors.VendorError] | None:
    try:
        if write.interaction == "create":
            transport.create(write.resource_type, b"{}")
        elif write.interaction == "update":
            transport.update(write.resource_type, write.target_id, write.payload, write.if_match)
        else:
            transport.patch(write.resource_type, write.target_id, write.payload, write.if_match)
    except errors.VendorError as failure:
        return type(failure)
    return None


@CHANGES
@pytest.mark.parametrize("fault", ["hang", "reset"])
def test_a_change_whose_reply_was_lost_is_unknown_and_is_not_sent_again(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write, fault: str
) -> None:
    """C11, C15, F14: its retry would be refused with 412 by the version that it made itself."""
    server = serve(lambda request: Reply(fault=fault))
    with pytest.raises(errors.OutcomeUnknown):
        adapters["reference"].send(transport_to(server, read_timeout_seconds=0.2), write)
    assert len(server.requests) == 1


@CHANGES
def test_a_change_that_never_left_is_known_not_to_have_left(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write
) -> None:
    server = serve(lambda request: Reply())
    server.stop()
    with pytest.raises(errors.NotSent):
        adapters["reference"].send(transport_to(server), write)


@CHANGES
def test_a_change_that_was_refused_for_its_token_is_not_sent_again_by_itself(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write
) -> None:
    server = serve(lambda request: Reply(401))
    with pytest.raises(errors.TokenRefused):
        adapters["reference"].send(transport_to(server), write)
    assert len(server.requests) == 1


@CHANGES
@pytest.mark.parametrize("status", [404, 410])
def test_a_change_to_what_is_gone_says_so(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write, status: int
) -> None:
    with pytest.raises(errors.NotFound) as caught:
        adapters["reference"].send(transport_to(serve(lambda request: Reply(status))), write)
    assert caught.value.status == status


@CHANGES
@pytest.mark.parametrize(
    ("reply", "version"),
    [
        (Reply(200), None),
        (Reply(204), None),
        (Reply(200, headers={"ETag": 'W/"4"'}), "4"),
        (Reply(200, headers={"Location": "https://ehr/fhir/DocumentReference/88/_history/4"}), "4"),
        (fhir({**NOTE, "meta": {"versionId": "4"}}), "4"),
        (fhir(outcome("informational", "information"), 200), None),
    ],
)
def test_every_form_of_yes_to_a_change_names_what_was_changed(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write, reply: Reply, version: str | None
) -> None:
    """C02, C03, C05: representation, minimal, outcome or nothing at all."""
    receipt = adapters["reference"].send(transport_to(serve(lambda request: reply)), write)
    assert (receipt.status, receipt.resource_id, receipt.version) == (reply.status, "88", version)


@CHANGES
@pytest.mark.parametrize(
    "reply",
    [
        fhir(outcome("exception"), 200),
        Reply(200, b"<html>Please sign in</html>", {"Content-Type": "text/html"}),
        Reply(200, headers={"Location": "DocumentReference/89"}),
        fhir({**NOTE, "id": "89"}),
    ],
)
def test_a_yes_that_speaks_of_something_else_is_unknown(
    serve: Serve, transport_to: To, adapters: Adapters, write: Write, reply: Reply
) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        adapters["reference"].send(transport_to(serve(lambda request: reply)), write)


# --- a conditional create


def holding(*filed: dict[str, Any]) -> Answer:
    """A server that honours If-None-Exist and holds these already."""

    def answer(request: Request) -> Reply:
        if "If-None-Exist" not in request.headers or not filed:
            return Reply(201, headers={"Location": "DocumentReference/new"})
        return Reply(412) if len(filed) > 1 else fhir(filed[0], 200)

    return answer


def test_a_conditional_create_has_three_ends(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C06, C09: none there is created, one is named and read before it is called ours, many are a conflict."""
    adapter, server = adapters["reference"], serve(holding())
    transport, write = transport_to(server), created(adapters["reference"].render_note(a_signed_note()))
    assert (adapter.send(transport, write).status, server.requests[0].headers["If-None-Exist"]) == (
        201,
        "identifier=https%3A%2F%2Fcountersign.example%2Fnotes%7Ctenant-1%2Fnote-7%2F1",
    )
    foreign = {**json.loads(write.payload), "id": "88", "subject": {"reference": "Patient/another"}}
    server.answer = holding(foreign)
    receipt = adapter.send(transport, write)
    assert (receipt.status, receipt.resource_id) == (200, "88")
    server.answer = lambda request: fhir(foreign)
    assert adapter.read_note(transport, "88").patient == "Patient/another"
    server.answer = holding(foreign, foreign)
    with pytest.raises(errors.VersionConflict):
        adapter.send(transport, write)


def test_an_entry_is_conditional_on_its_own_identifier(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C06."""
    server = serve(lambda request: Reply(201))
    write = Write("AllergyIntolerance", "create", json.dumps(entry()).encode())
    for vendor in ("reference", "epic"):
        adapters[vendor].send(transport_to(server), write)
    assert [request.headers.get("If-None-Exist") for request in server.requests] == [
        "identifier=https%3A%2F%2Fcountersign.example%2Fentries%7Ctenant-1%2Fnote-7%2F1%2Fa",
        None,
    ]


# --- reading and finding again


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_an_earlier_version_is_read_or_else_the_present_one(
    serve: Serve, transport_to: To, adapters: Adapters, status: int
) -> None:
    """C14."""
    now = {**NOTE, "meta": {"versionId": "5"}}
    server = serve(lambda request: fhir({**NOTE, "meta": {"versionId": "3"}}))
    transport = transport_to(server)
    assert adapters["reference"].read_version(transport, "DocumentReference", "88", "3").version == "3"
    assert server.requests[0].path == "/fhir/R4/DocumentReference/88/_history/3"
    server.answer = lambda request: Reply(status) if "_history" in request.path else fhir(now)
    assert adapters["reference"].read_version(transport, "DocumentReference", "88", "3").version == "5"


def test_a_version_that_may_not_be_read_is_no_missing_version(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C14: nor is a version that is a path."""
    server = serve(lambda request: Reply(403))
    with pytest.raises(errors.NotAuthorized):
        adapters["reference"].read_version(transport_to(server), "DocumentReference", "88", "3")
    with pytest.raises(errors.NotFound):
        transport_to(server).read_version("DocumentReference", "88", "../../Patient")
    assert len(server.requests) == 1


def test_an_entry_is_found_by_its_identifier_or_by_all_that_was_sent(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C19, C20: plan B lists what the patient has, and takes nobody else's for ours."""
    payload = json.dumps(entry()).encode()
    bare = {name: value for name, value in entry().items() if name != "identifier"}
    enriched = {"coding": [{"system": "urn:epic", "code": "1"}, *entry()["code"]["coding"]], "text": "Penicillin"}
    chart = [
        {**bare, "id": "stripped", "code": enriched},
        {**bare, "id": "another-day", "recordedDate": "2026-11-21T20:32:07Z"},
        {**bare, "id": "another-allergy", "code": {"text": "Latex"}},
        {**entry(), "id": "of-another-note", "identifier": [{**entry()["identifier"][0], "value": "other"}]},
    ]
    server = serve(lambda request: fhir(bundle(*chart)))
    chart[0]["patient"] = {"reference": f"{server.origin}/fhir/R4/Patient/p1"}
    found = adapters["epic"].find(transport_to(server), "AllergyIntolerance", payload)
    assert [one.resource_id for one in found] == ["stripped"]
    marked = {**entry(), "id": "marked", "code": {"text": "changed since"}}
    server.answer = lambda request: fhir(bundle(*chart, marked))
    for vendor in ("epic", "reference"):
        (only,) = adapters[vendor].find(transport_to(server), "AllergyIntolerance", payload)
        assert only.resource_id == "marked"
    queries = [request.path.partition("?")[2] for request in server.requests]
    assert queries[1:] == [
        "patient=p1",
        "patient=p1&identifier=https%3A%2F%2Fcountersign.example%2Fentries%7Ctenant-1%2Fnote-7%2F1%2Fa",
    ]


@pytest.mark.parametrize(
    ("more", "query"),
    [
        ({"resourceType": "Observation", "category": [{"coding": [{"code": "vital-signs"}]}]}, "&category=vital-signs"),
        ({"resourceType": "MedicationRequest", "intent": "proposal"}, "&intent=proposal"),
        ({"resourceType": "Condition"}, ""),
    ],
)
def test_plan_b_asks_for_entries_as_servers_must_answer(
    serve: Serve, transport_to: To, adapters: Adapters, more: dict[str, Any], query: str
) -> None:
    """C20: US Core lets a server refuse some searches by patient alone."""
    server = serve(lambda request: fhir(bundle()))
    ours = {**entry(subject={"reference": "Patient/p1"}), **more}
    assert adapters["epic"].find(transport_to(server), more["resourceType"], json.dumps(ours).encode()) == []
    assert server.requests[0].path == f"/fhir/R4/{more['resourceType']}?patient=p1{query}"


def test_any_resource_is_read_where_the_profile_says_that_it_can_be(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    server = serve(lambda request: fhir({**entry(), "id": "a1"}, ETag='W/"2"'))
    stored = adapters["reference"].read(transport_to(server), "AllergyIntolerance", "a1")
    assert (stored.resource_id, stored.etag) == ("a1", 'W/"2"')
    with pytest.raises(errors.Unsupported):
        adapters["athenaone"].read(transport_to(server), "Task", "t1")
    assert len(server.requests) == 1
