import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from scripted_server import Answer, Reply, Request, ScriptedServer, bundle, fhir
from signed_notes import TEXT, a_signed_note, created

from vendors import errors
from vendors.contract import VendorAdapter
from vendors.transport import FHIRTransport

Serve = Callable[[Answer], ScriptedServer]
To = Callable[..., FHIRTransport]
Adapters = dict[str, VendorAdapter]


def in_chart(adapter: VendorAdapter, resource_id: str = "d1", **changes: Any) -> dict[str, Any]:
    """Our note as a chart would hold it, with changes."""
    resource: dict[str, Any] = {
        **json.loads(adapter.render_note(a_signed_note())),
        "id": resource_id,
        **changes,
    }
    return {name: value for name, value in resource.items() if value is not None}


def with_text(text: str, **attachment: Any) -> list[dict[str, Any]]:
    data = base64.b64encode(text.encode()).decode()
    return [{"attachment": {"contentType": "text/plain", "data": data, **attachment}}]


ELSEWHERE = [{"attachment": {"contentType": "text/plain", "url": "Binary/b1"}}]


def asked(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.path).query)


# --- filing


@pytest.mark.parametrize("vendor", ["athenaone", "ecw", "veradigm"])
def test_a_vendor_that_takes_no_notes_is_sent_none(
    serve: Serve, transport_to: To, adapters: Adapters, vendor: str
) -> None:
    server = serve(lambda request: Reply(201))
    payload = adapters[vendor].render_note(a_signed_note())
    with pytest.raises(errors.Unsupported) as caught:
        adapters[vendor].send(transport_to(server), created(payload))
    assert (caught.value.vendor, caught.value.operation) == (vendor, "create DocumentReference")
    assert server.requests == []


def test_epic_gets_no_provenance_and_is_not_asked_for_one(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C26."""
    server = serve(lambda request: Reply(201))
    with pytest.raises(errors.Unsupported):
        adapters["epic"].create_provenance(transport_to(server), b"{}")
    with pytest.raises(errors.Unsupported):
        adapters["epic"].find_provenance(transport_to(server), "DocumentReference/d1")
    assert server.requests == []


def test_a_create_is_conditional_only_where_the_profile_says_that_it_is_honoured(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C06, C07."""
    server = serve(lambda request: Reply(201, headers={"Location": "DocumentReference/d1"}))
    for vendor in ("reference", "epic"):
        payload = adapters[vendor].render_note(a_signed_note())
        assert adapters[vendor].send(transport_to(server), created(payload)).resource_id == "d1"
    conditions = [request.headers.get("If-None-Exist") for request in server.requests]
    assert conditions == [
        "identifier=https%3A%2F%2Fcountersign.example%2Fnotes%7Ctenant-1%2Fnote-7%2F1",
        None,
    ]


@pytest.mark.parametrize(("body", "whose"), [(b"", "app-registration"), (b"no security", "user-security")])
def test_epics_403_says_whose_right_is_missing(
    serve: Serve, transport_to: To, adapters: Adapters, body: bytes, whose: str
) -> None:
    payload = adapters["epic"].render_note(a_signed_note())
    with pytest.raises(errors.NotAuthorized) as caught:
        adapters["epic"].send(transport_to(serve(lambda request: Reply(403, body))), created(payload))
    assert whose in caught.value.issue_codes
    assert caught.value.status == 403


# --- reading back


def test_a_note_is_read_back_with_everything_to_compare(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C19."""
    adapter = adapters["reference"]
    reply = fhir(in_chart(adapter, meta={"versionId": "2", "security": [{"system": "s", "code": "AIAST"}]}))
    note = adapter.read_note(transport_to(serve(lambda request: reply)), "d1")
    assert (note.resource_id, note.version, note.text) == ("d1", "2", TEXT)
    assert note.identifiers == (("https://countersign.example/notes", "tenant-1/note-7/1"),)
    assert (note.patient, note.encounter, note.authors) == (
        "Patient/p1",
        "Encounter/e9",
        ("Practitioner/d7",),
    )
    assert (note.status, note.doc_status) == ("current", "final")
    assert note.type_codes == (("http://loinc.org", "11506-3"),)
    assert (note.labels, note.raw) == ((("s", "AIAST"),), reply.body)


def test_absolute_references_to_the_base_are_the_same_references(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    server = serve(lambda request: Reply())
    base = f"{server.origin}/fhir/R4"
    subject, author = {"reference": f"{base}/Patient/p1"}, [{"reference": "https://other/Practitioner/d7"}]
    server.answer = lambda request: fhir(in_chart(adapters["epic"], subject=subject, author=author))
    note = adapters["epic"].read_note(transport_to(server), "d1")
    assert (note.patient, note.authors) == ("Patient/p1", ("https://other/Practitioner/d7",))


def test_text_that_lives_in_a_binary_is_fetched(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    def answer(request: Request) -> Reply:
        if "Binary" in request.path:
            return Reply(200, "Señora Ríos".encode("latin-1"), {"Content-Type": "text/plain"})
        content = [
            {"attachment": {"contentType": "text/html", "url": "Binary/html"}},
            {"attachment": {"contentType": "text/plain; charset=iso-8859-1", "url": "Binary/b1"}},
        ]
        return fhir(in_chart(adapters["epic"], content=content))

    server = serve(answer)
    assert adapters["epic"].read_note(transport_to(server), "d1").text == "Señora Ríos"
    assert [request.path for request in server.requests][1:] == ["/fhir/R4/Binary/b1"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "x",
        [],
        [{"attachment": {}}],
        [{"attachment": {"contentType": "application/pdf", "data": "AAAA"}}],
    ],
)
def test_a_stored_note_that_no_model_would_accept_is_still_read(
    serve: Serve, transport_to: To, adapters: Adapters, content: Any
) -> None:
    """C18."""
    odd = {"resourceType": "DocumentReference", "id": "d1", "content": content, "author": "x", "meta": 3}
    note = adapters["epic"].read_note(transport_to(serve(lambda request: fhir(odd))), "d1")
    assert (note.text, note.patient, note.authors, note.encounter) == ("", "", (), None)


def test_undecodable_text_is_marked_and_its_bytes_are_kept(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C18, C19."""
    data = base64.b64encode(b"caf\xe9").decode()
    content = [{"attachment": {"contentType": "text/plain; charset=no-such", "data": data}}]
    reply = fhir(in_chart(adapters["epic"], content=content))
    note = adapters["epic"].read_note(transport_to(serve(lambda request: reply)), "d1")
    assert (note.text, note.raw) == ("caf�", reply.body)


# --- finding our note again


def test_where_identifiers_can_be_searched_they_are(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C20."""
    adapter = adapters["reference"]
    server = serve(lambda request: fhir(bundle(in_chart(adapter))))
    found = adapter.find_notes(transport_to(server), adapter.render_note(a_signed_note()))
    assert [note.resource_id for note in found] == ["d1"]
    assert asked(server.requests[0]) == {
        "patient": ["p1"],
        "identifier": ["https://countersign.example/notes|tenant-1/note-7/1"],
    }


def test_epic_is_asked_for_the_visits_notes_and_they_are_compared(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C19, C20, F25: an identifier that was dropped does not make a second note."""
    epic = adapters["epic"]
    rewrapped = TEXT.replace("\r\n", "\n\n  ").replace("ñ", "n\u0303")
    chart = [
        in_chart(epic, "identifier-dropped", identifier=None, content=with_text(rewrapped)),
        in_chart(epic, "foreign-identifier", identifier=[{"system": "urn:epic", "value": "1"}]),
        in_chart(epic, "our-other-note", identifier=[{"system": "https://countersign.example/notes", "value": "2"}]),
        in_chart(epic, "other-text", identifier=None, content=with_text("another note")),
        in_chart(epic, "other-patient", identifier=None, subject={"reference": "Patient/p2"}),
        in_chart(epic, "a-scan", identifier=None, content=[{"attachment": {"contentType": "image/png"}}]),
    ]
    server = serve(lambda request: fhir(bundle(*chart)))
    found = epic.find_notes(transport_to(server), epic.render_note(a_signed_note()))
    assert [note.resource_id for note in found] == ["identifier-dropped", "foreign-identifier"]
    assert asked(server.requests[0]) == {"patient": ["p1"], "encounter": ["e9"]}


def test_a_note_that_carries_our_identifier_is_ours_whatever_it_says_and_no_other_text_is_fetched(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    epic = adapters["epic"]
    chart = [
        in_chart(epic, "unreadable", identifier=None, content=ELSEWHERE),
        in_chart(epic, "same-identifier", content=with_text("someone edited it")),
        in_chart(epic, "same-words", identifier=None),
    ]
    server = serve(lambda request: fhir(bundle(*chart)))
    found = epic.find_notes(transport_to(server), epic.render_note(a_signed_note()))
    assert [note.resource_id for note in found] == ["same-identifier"]
    assert len(server.requests) == 1


def test_the_text_of_another_patient_or_of_another_note_of_ours_is_not_fetched(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    epic = adapters["epic"]
    another = [{"system": "https://countersign.example/notes", "value": "2"}]
    chart = [
        in_chart(epic, "our-other-note", identifier=another, content=ELSEWHERE),
        in_chart(epic, "other-patient", identifier=None, subject={"reference": "Patient/p2"}, content=ELSEWHERE),
    ]
    server = serve(lambda request: fhir(bundle(*chart)))
    assert epic.find_notes(transport_to(server), epic.render_note(a_signed_note())) == []
    assert len(server.requests) == 1


def test_without_an_encounter_the_days_since_the_signature_are_listed(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    """C20."""
    athenaone = adapters["athenaone"]
    server = serve(lambda request: fhir(bundle()))
    payload = athenaone.render_note(a_signed_note(encounter=None))
    assert athenaone.find_notes(transport_to(server), payload) == []
    category = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note"
    assert asked(server.requests[0]) == {"patient": ["p1"], "category": [category], "date": ["ge2026-11-21"]}


def test_athenaones_listing_is_narrowed_to_the_days_even_within_a_visit(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    athenaone = adapters["athenaone"]
    server = serve(lambda request: fhir(bundle()))
    athenaone.find_notes(transport_to(server), athenaone.render_note(a_signed_note()))
    assert asked(server.requests[0]) == {"patient": ["p1"], "encounter": ["e9"], "date": ["ge2026-11-21"]}


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (500, errors.Unavailable),
        (404, errors.Unavailable),
        (410, errors.Unavailable),
        (403, errors.Unavailable),
        (401, errors.TokenRefused),
        (429, errors.Throttled),
    ],
)
def test_a_candidate_whose_text_cannot_be_read_is_an_error_and_not_an_absence(
    serve: Serve, transport_to: To, adapters: Adapters, status: int, raised: type
) -> None:
    epic = adapters["epic"]
    candidate = in_chart(epic, identifier=None, content=ELSEWHERE)
    server = serve(lambda request: Reply(status) if "Binary" in request.path else fhir(bundle(candidate)))
    with pytest.raises(raised):
        epic.find_notes(transport_to(server), epic.render_note(a_signed_note()))


def test_a_candidate_whose_text_lies_where_we_may_not_go_is_an_error_too(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    epic = adapters["epic"]
    abroad = [{"attachment": {"contentType": "text/plain", "url": "https://elsewhere.example/b1"}}]
    server = serve(lambda request: fhir(bundle(in_chart(epic, identifier=None, content=abroad))))
    with pytest.raises(errors.Unavailable):
        epic.find_notes(transport_to(server), epic.render_note(a_signed_note()))


def test_a_note_whose_text_is_gone_is_unreadable_and_a_note_that_is_gone_is_not_found(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    epic = adapters["epic"]
    note = in_chart(epic, content=ELSEWHERE)
    server = serve(lambda request: Reply(404) if "Binary" in request.path else fhir(note))
    with pytest.raises(errors.Unavailable):
        epic.read_note(transport_to(server), "d1")
    with pytest.raises(errors.NotFound):
        epic.read_note(transport_to(serve(lambda request: Reply(404))), "d1")


def test_provenance_is_found_by_its_target(serve: Serve, transport_to: To, adapters: Adapters) -> None:
    """C23, C25, C27: by target, whatever version of it a Provenance names."""
    mine = {"resourceType": "Provenance", "id": "v1"}
    server = serve(lambda request: fhir(bundle(mine)))
    assert adapters["reference"].find_provenance(transport_to(server), "DocumentReference/d1") == [mine]
    assert asked(server.requests[0]) == {"target": ["DocumentReference/d1"]}


@pytest.mark.parametrize("vendor", ["ecw", "veradigm"])
def test_where_provenance_cannot_be_found_by_its_target_none_is_asked_for(
    serve: Serve, transport_to: To, adapters: Adapters, vendor: str
) -> None:
    server = serve(lambda request: fhir(bundle({"resourceType": "Provenance", "id": "of-another-note"})))
    with pytest.raises(errors.Unsupported):
        adapters[vendor].find_provenance(transport_to(server), "DocumentReference/d1")
    assert server.requests == []


# --- reading the chart


def searches(server: ScriptedServer) -> list[dict[str, list[str]]]:
    return [asked(request) for request in server.requests if "?" in request.path]


def of_an_empty_chart(request: Request) -> Reply:
    if "_count" in request.path:
        return Reply(400)
    if "?" in request.path:
        return fhir(bundle())
    kind, _, resource_id = request.path.removeprefix("/fhir/R4/").partition("/")
    return fhir({"resourceType": kind, "id": resource_id, "subject": {"reference": "Patient/p1"}, "status": "planned"})


def test_a_server_that_refuses_a_page_size_is_asked_for_none(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    refused = adapters["epic"].read_chart(transport_to(serve(of_an_empty_chart)), "p1", "e9", None)
    assert {"conditions", "medications", "allergies", "documents"} <= {one.what for one in refused.unread}

    server = serve(of_an_empty_chart)
    chart = adapters["ecw"].read_chart(transport_to(server), "p1", "e9", None)
    assert not {"conditions", "medications", "allergies", "documents"} & {one.what for one in chart.unread}
    assert {"patient": ["p1"], "encounter": ["e9"]} in searches(server)


def test_documents_are_not_asked_for_by_visit_where_that_is_no_search_parameter(
    serve: Serve, transport_to: To, adapters: Adapters
) -> None:
    server = serve(of_an_empty_chart)
    adapters["veradigm"].read_chart(transport_to(server), "p1", "e9", None)
    assert not [one for one in searches(server) if "encounter" in one]
