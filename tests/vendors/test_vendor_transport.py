import logging
import traceback
from collections.abc import Callable

import pytest
from scripted_server import Answer, Reply, Request, ScriptedServer, bundle, fhir, outcome

from vendors import errors
from vendors.egress import EgressPolicy, guarded_session
from vendors.outcomes import STATUS_TABLE, Interaction
from vendors.transport import FHIR_JSON, FHIRTransport

Serve = Callable[[Answer], ScriptedServer]
To = Callable[..., FHIRTransport]

PATIENT = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "4"}}
NOTE = {"resourceType": "DocumentReference", "id": "d1"}


def create(transport: FHIRTransport) -> object:
    return transport.create("DocumentReference", b"{}")


# --- requests


def test_a_create_posts_the_exact_bytes_with_token_type_and_correlation(serve: Serve, transport_to: To) -> None:
    """C01, C06."""
    server = serve(lambda request: Reply(201))
    transport_to(server).create("DocumentReference", b'{"a":1}', {"If-None-Exist": "identifier=x"})
    sent = server.requests[0]
    assert (sent.method, sent.path, sent.body) == ("POST", "/fhir/R4/DocumentReference", b'{"a":1}')
    assert sent.headers["Content-Type"] == "application/fhir+json"
    assert sent.headers["Accept"] == "application/fhir+json"
    assert sent.headers["Authorization"] == "Bearer secret-token"
    assert sent.headers["If-None-Exist"] == "identifier=x"
    assert sent.headers["X-Request-Id"] == "correlation-1"


def test_the_token_is_not_in_any_repr(serve: Serve, transport_to: To) -> None:
    assert "secret-token" not in repr(transport_to(serve(lambda request: Reply())))


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "ключ"])
def test_a_token_that_no_header_can_carry_is_refused_at_once(serve: Serve, transport_to: To, token: str) -> None:
    with pytest.raises(ValueError, match="access token"):
        transport_to(serve(lambda request: Reply()), token=token)


@pytest.mark.parametrize("resource_id", ["../Patient/2", "1/_history/2", "..", "", "a b", "1?x=y"])
def test_an_id_that_is_a_path_never_leaves(serve: Serve, transport_to: To, resource_id: str) -> None:
    server = serve(lambda request: fhir(PATIENT))
    with pytest.raises(errors.NotFound):
        transport_to(server).read("Patient", resource_id)
    assert server.requests == []


# --- the status table over the wire


@pytest.mark.parametrize("status", [s for s in range(201, 600) if s not in (203, 204, 304)])
def test_the_wire_obeys_the_table_for_a_read(one_status: Callable[[int], FHIRTransport], status: int) -> None:
    """C15."""
    leaf = STATUS_TABLE[Interaction.READ][status]
    assert leaf is not None
    with pytest.raises(leaf) as caught:
        one_status(status).read("Patient", "p1")
    assert (type(caught.value), caught.value.status) == (leaf, status)


@pytest.fixture
def one_status(request: pytest.FixtureRequest) -> Callable[[int], FHIRTransport]:
    server: ScriptedServer = request.getfixturevalue("status_server")

    def at(status: int) -> FHIRTransport:
        server.answer = lambda _: Reply(status)
        session = guarded_session(EgressPolicy(frozenset({server.origin}), allow_loopback=True))
        return FHIRTransport(f"{server.origin}/fhir", session, "t", "epic")

    return at


@pytest.fixture(scope="module")
def status_server() -> object:
    server = ScriptedServer(lambda _: Reply())
    yield server
    server.stop()


def test_a_throttled_call_says_when_to_come_back(serve: Serve, transport_to: To) -> None:
    """C16."""
    transport = transport_to(serve(lambda request: Reply(429, headers={"Retry-After": "12"})))
    with pytest.raises(errors.Throttled) as caught:
        create(transport)
    assert caught.value.retry_after_seconds == 12.0


def test_a_throttled_call_without_a_time_gets_one(serve: Serve, transport_to: To) -> None:
    """C16."""
    with pytest.raises(errors.Throttled) as caught:
        create(transport_to(serve(lambda request: Reply(429))))
    assert caught.value.retry_after_seconds == 60.0


def test_a_503_on_a_create_is_unknown_and_keeps_its_retry_after(serve: Serve, transport_to: To) -> None:
    """C15, C16, F12: what the EHR says about waiting does not say that it stored nothing."""
    with pytest.raises(errors.OutcomeUnknown) as caught:
        create(transport_to(serve(lambda request: Reply(503, headers={"Retry-After": "30"}))))
    assert caught.value.retry_after_seconds == 30.0


# --- network failures


@pytest.mark.parametrize("fault", ["hang", "reset"])
def test_a_lost_reply_to_a_create_is_unknown_and_is_not_sent_again(serve: Serve, transport_to: To, fault: str) -> None:
    """C15, F10, I3."""
    server = serve(lambda request: Reply(fault=fault))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        create(transport_to(server))
    assert caught.value.issue_codes == ({"hang": "read-timeout", "reset": "connection-lost"}[fault],)
    assert len(server.requests) == 1


def test_a_reply_cut_in_the_middle_is_unknown(serve: Serve, transport_to: To) -> None:
    """F10."""
    server = serve(lambda request: Reply(201, b'{"resourceType"', fault="cut"))
    with pytest.raises(errors.OutcomeUnknown):
        create(transport_to(server))


def test_a_huge_reply_to_a_create_is_unknown(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: Reply(201, b"x" * 200_000))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        create(transport_to(server, max_response_bytes=100_000))
    assert caught.value.issue_codes == ("too-large",)


def test_a_create_whose_answer_trickles_in_is_unknown_and_is_not_sent_again(serve: Serve, transport_to: To) -> None:
    """E16, C15, F10: it was cut off after its bytes had left."""
    server = serve(lambda request: Reply(fault="trickle-head"))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        create(transport_to(server))
    assert caught.value.issue_codes == ("too-slow",)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["hang", "reset"])
def test_a_lost_reply_to_a_read_is_only_unavailable(serve: Serve, transport_to: To, fault: str) -> None:
    server = serve(lambda request: Reply(fault=fault))
    with pytest.raises(errors.Unavailable):
        transport_to(server).read("Patient", "p1")
    assert len(server.requests) == 1


def test_a_refused_connection_is_not_sent_for_a_create_and_unavailable_for_a_read(
    serve: Serve, transport_to: To
) -> None:
    """F09."""
    server = serve(lambda request: Reply())
    transport = transport_to(server)
    server.stop()
    with pytest.raises(errors.NotSent):
        create(transport)
    with pytest.raises(errors.Unavailable):
        transport.read("Patient", "p1")


def test_an_address_that_the_guard_refuses_is_blocked_and_certainly_not_sent() -> None:
    session = guarded_session(EgressPolicy(frozenset({"https://10.0.0.1"})))
    transport = FHIRTransport("https://10.0.0.1/fhir", session, "t", "epic")
    with pytest.raises(errors.EgressBlocked) as caught:
        create(transport)
    assert isinstance(caught.value, errors.NotSent)


def test_a_server_that_closed_an_idle_connection_does_not_cost_a_write(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: Reply(201, headers={"Connection": "close"}))
    transport = transport_to(server)
    assert [transport.create("Provenance", b"{}").status for _ in range(3)] == [201, 201, 201]


# --- replies to a create


@pytest.mark.parametrize(
    ("location", "resource_id", "version"),
    [
        ("DocumentReference/abc", "abc", None),
        ("/fhir/R4/DocumentReference/abc/_history/3", "abc", "3"),
        ("http://internal:8080/x/DocumentReference/abc/_history/3/", "abc", "3"),
        ("https://ehr.example/fhir/DocumentReference/e.LL-8_k3", "e.LL-8_k3", None),
        ("https://ehr.example/fhir/Patient/abc", None, None),
        ("DocumentReference/..", None, None),
        ("nonsense", None, None),
    ],
)
def test_location_is_read_in_every_form_and_never_followed(
    serve: Serve, transport_to: To, location: str, resource_id: str | None, version: str | None
) -> None:
    """C02."""
    server = serve(lambda request: Reply(201, headers={"Location": location}))
    receipt = transport_to(server).create("DocumentReference", b"{}")
    assert (receipt.resource_id, receipt.version) == (resource_id, version)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_bare_success_is_a_success_still_to_be_located(serve: Serve, transport_to: To, status: int) -> None:
    """C03, C04, C05: the status is kept, so that 202 is not taken for filed."""
    receipt = transport_to(serve(lambda request: Reply(status))).create("DocumentReference", b"{}")
    assert (receipt.status, receipt.resource_id, receipt.body) == (status, None, b"")


def test_a_representation_gives_id_version_and_etag(serve: Serve, transport_to: To) -> None:
    """C02, C05."""
    stored = {**NOTE, "meta": {"versionId": "2"}, "nonsense": [1, {"not": "FHIR"}]}
    receipt = create(transport_to(serve(lambda request: fhir(stored, 201, ETag='W/"2"'))))
    assert (receipt.resource_id, receipt.version, receipt.etag) == ("d1", "2", 'W/"2"')


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]}', FHIR_JSON),
        (b"<html><body>Accepted</body></html>", "text/html"),
    ],
)
def test_what_was_accepted_for_later_is_that_whatever_the_answer_says_beside(
    serve: Serve, transport_to: To, body: bytes, kind: str
) -> None:
    """C04, F17: called unclear, it would be sent again once it was not found for long enough."""
    receipt = create(transport_to(serve(lambda request: Reply(202, body, {"Content-Type": kind}))))
    assert (receipt.status, receipt.resource_id) == (202, None)


def test_a_success_that_no_model_would_accept_is_kept_raw(serve: Serve, transport_to: To) -> None:
    """C18."""
    odd = b'{"resourceType": "DocumentReference", "id": 17, "content": "none"'
    receipt = create(transport_to(serve(lambda request: Reply(201, odd, {"Location": "DocumentReference/9"}))))
    assert (receipt.resource_id, receipt.body) == ("9", odd)


def test_a_warning_in_place_of_the_resource_is_a_success(serve: Serve, transport_to: To) -> None:
    """C05."""
    receipt = create(transport_to(serve(lambda request: fhir(outcome("informational", "warning"), 201))))
    assert receipt.status == 201


@pytest.mark.parametrize(
    "reply",
    [
        fhir(outcome("exception"), 200),
        fhir(outcome("exception", "fatal"), 201),
        Reply(200, b"<html>Please sign in</html>", {"Content-Type": "text/html"}),
    ],
)
def test_a_success_that_speaks_against_itself_is_unknown(serve: Serve, transport_to: To, reply: Reply) -> None:
    """C17: an outcome is read on a success too."""
    with pytest.raises(errors.OutcomeUnknown):
        create(transport_to(serve(lambda request: reply)))


def test_an_error_outcome_beside_a_location_is_still_evidence_of_success(serve: Serve, transport_to: To) -> None:
    """C17, C18."""
    reply = fhir(outcome("exception"), 201, Location="DocumentReference/9")
    assert create(transport_to(serve(lambda request: reply))).resource_id == "9"


@pytest.mark.parametrize("body", [b"", b"<html>oops</html>", b"{", b'"x"', b"[" * 100_000])
def test_an_error_without_an_outcome_is_survived(serve: Serve, transport_to: To, body: bytes) -> None:
    """C17."""
    with pytest.raises(errors.InvalidResource):
        create(transport_to(serve(lambda request: Reply(400, body))))


def test_a_403_says_whether_it_was_empty_or_about_scope(serve: Serve, transport_to: To) -> None:
    """A31."""
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    with pytest.raises(errors.NotAuthorized) as caught:
        create(transport_to(serve(lambda request: Reply(403, headers=challenge))))
    assert caught.value.issue_codes == ("empty-body", "insufficient-scope")


# --- reads and searches


def test_a_read_gives_resource_version_and_exact_bytes(serve: Serve, transport_to: To) -> None:
    reply = fhir(PATIENT, ETag='W/"4"')
    stored = transport_to(serve(lambda request: reply)).read("Patient", "p1")
    assert (stored.resource, stored.version, stored.etag) == (PATIENT, "4", 'W/"4"')
    assert stored.body == reply.body


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b""),
        Reply(200, b"<html>", {"Content-Type": "text/html"}),
        Reply(200, b"[]"),
        fhir({"resourceType": "Encounter", "id": "p1"}),
        fhir({"resourceType": "Patient", "id": "p2"}),
    ],
)
def test_a_read_that_brings_something_else_is_unavailable(serve: Serve, transport_to: To, reply: Reply) -> None:
    with pytest.raises(errors.Unavailable):
        transport_to(serve(lambda request: reply)).read("Patient", "p1")


def paged(request: Request) -> Reply:
    if "page=2" in request.path:
        return fhir(bundle({**NOTE, "id": "d2"}))
    return fhir(bundle(NOTE, outcome("informational", "warning"), next_url="?page=2"))


def test_a_search_follows_relative_and_absolute_links_inside_the_base(serve: Serve, transport_to: To) -> None:
    server = serve(paged)
    found = transport_to(server).search("DocumentReference", [("patient", "p1"), ("type", "a|b")])
    assert [one["id"] for one in found] == ["d1", "d2"]
    assert server.requests[0].path == "/fhir/R4/DocumentReference?patient=p1&type=a%7Cb"

    absolute = f"{server.origin}/fhir/R4?page=2"
    server.answer = lambda request: fhir(bundle(NOTE, next_url=absolute)) if "page" not in request.path else Reply()
    with pytest.raises(errors.Unavailable):
        transport_to(server).search("DocumentReference", [])


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/fhir/R4/DocumentReference?page=2",
        "//evil.example/page2",
        "/other/base?page=2",
        "../../admin?page=2",
        "/fhir/R4/%2e%2e/%2e%2e/admin",
        "http://evil.example\\@127.0.0.1/",
        "http://[",
    ],
)
def test_a_next_link_outside_the_base_is_an_error_and_not_a_shorter_answer(
    serve: Serve, transport_to: To, link: str
) -> None:
    """A32, E15."""
    server = serve(lambda request: fhir(bundle(NOTE, next_url=link)))
    with pytest.raises(errors.Unavailable) as caught:
        transport_to(server).search("DocumentReference", [])
    assert (caught.value.issue_codes, len(server.requests)) == (("foreign-link",), 1)


def test_endless_pages_end_in_an_error(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: fhir(bundle(NOTE, next_url="?page=again")))
    with pytest.raises(errors.Unavailable) as caught:
        transport_to(server).search("DocumentReference", [])
    assert caught.value.issue_codes == ("too-many-pages",)


def test_a_search_for_the_first_few_stops_there(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: fhir(bundle(NOTE, NOTE, next_url="?page=again")))
    assert len(transport_to(server).search("DocumentReference", [], first=3)) == 4
    assert len(server.requests) == 2


def test_a_fatal_outcome_inside_a_200_bundle_is_an_error(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: fhir(bundle(outcome("too-costly", "fatal"))))
    with pytest.raises(errors.Rejected) as caught:
        transport_to(server).search("DocumentReference", [])
    assert caught.value.issue_codes == ("too-costly",)


def test_a_warning_that_nothing_was_found_is_an_empty_answer(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: fhir(bundle(outcome("not-found", "warning"))))
    assert transport_to(server).search("DocumentReference", []) == []


@pytest.mark.parametrize("odd", [b"", b"<html>", b'{"resourceType":"Patient"}', b"[1]", b"null"])
def test_an_answer_that_is_no_bundle_is_unavailable_not_empty(serve: Serve, transport_to: To, odd: bytes) -> None:
    with pytest.raises(errors.Unavailable):
        transport_to(serve(lambda request: Reply(200, odd))).search("DocumentReference", [])


@pytest.mark.parametrize("entry", ["x", [None], [{"resource": "x"}], [{"link": []}]])
def test_odd_entries_are_passed_over(serve: Serve, transport_to: To, entry: object) -> None:
    odd = {"resourceType": "Bundle", "entry": entry, "link": ["x"]}
    assert transport_to(serve(lambda request: fhir(odd))).search("DocumentReference", []) == []


# --- attachments


def test_an_attachment_inside_the_base_is_fetched_with_the_token(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: Reply(200, b"the text", {"Content-Type": "text/plain"}))
    transport = transport_to(server)
    assert transport.fetch("Binary/b1") == b"the text"
    assert transport.fetch(f"{server.origin}/fhir/R4/Binary/b1") == b"the text"
    assert [one.headers.get("Authorization") for one in server.requests] == ["Bearer secret-token"] * 2


@pytest.mark.parametrize("path", ["/fhir/R4x/Binary/1", "/other", "/fhir/R4/../secret", "/fhir/R4"])
def test_outside_the_base_the_token_stays_at_home(serve: Serve, transport_to: To, path: str) -> None:
    """A32."""
    server = serve(lambda request: Reply(200, b"elsewhere"))
    transport_to(server).fetch(f"{server.origin}{path}")
    assert "Authorization" not in server.requests[0].headers


def test_an_attachment_at_a_foreign_host_is_refused_by_the_guard(serve: Serve, transport_to: To) -> None:
    """A32, E15."""
    own, foreign = serve(lambda request: Reply()), serve(lambda request: Reply())
    with pytest.raises(errors.EgressBlocked):
        transport_to(own).fetch(f"{foreign.origin}/fhir/R4/Binary/1")
    assert foreign.requests == []


def test_a_binary_resource_is_unwrapped(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: fhir({"resourceType": "Binary", "data": "aGVsbG8="}))
    assert transport_to(server).fetch("Binary/b1") == b"hello"


def test_a_binary_with_broken_base64_is_unavailable(serve: Serve, transport_to: To) -> None:
    server = serve(lambda request: fhir({"resourceType": "Binary", "data": "%%%"}))
    with pytest.raises(errors.Unavailable):
        transport_to(server).fetch("Binary/b1")


# --- nothing leaks


def test_neither_log_nor_traceback_nor_error_holds_token_ids_or_text(
    serve: Serve, transport_to: To, caplog: pytest.LogCaptureFixture
) -> None:
    """C17: diagnostics may hold what is about a patient."""
    caplog.set_level(logging.DEBUG)
    mark = "ana" + "ry"  # put together here, so that a traceback's source lines do not hold it
    said = outcome("business-rule", diagnostics=f"{mark}, MRN 4711")
    replies = [fhir(said, 422), Reply(fault="reset"), Reply(500, mark.encode()), Reply(401)]
    server = serve(lambda request: replies[(len(server.requests) - 1) % 4])
    transport = transport_to(server)
    seen = []
    for call in (create, lambda to: to.read("Patient", mark)) * 2:
        try:
            call(transport)
        except errors.VendorError as failure:
            seen.append(f"{failure!r} {failure} {vars(failure)} {''.join(traceback.format_exception(failure))}")
    everything = " ".join(seen + [record.getMessage() for record in caplog.records])
    assert len(seen) == 4
    assert not [leak for leak in (transport._token.value, mark) if leak in everything]
