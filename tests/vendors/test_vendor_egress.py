import gzip
import ipaddress
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from scripted_server import Answer, Reply, Request, ScriptedServer
from untrusted_tls import trusted_tls_server, untrusted_tls_server
from urllib3 import Timeout

from vendors.egress import (
    EgressPolicy,
    EgressRefused,
    NotConnected,
    ResponseTooLarge,
    ResponseTooSlow,
    guarded_session,
    origin_of,
)
from vendors.pinning import AddressRefused, checked_addresses

Serve = Callable[[Answer], ScriptedServer]


def session_to(*origins: str, **policy: object) -> requests.Session:
    return guarded_session(EgressPolicy(frozenset(origins), **{"allow_loopback": True, **policy}))


def saying(body: bytes) -> Answer:
    return lambda request: Reply(200, body)


def test_a_registered_origin_is_reached(serve: Serve) -> None:
    server = serve(saying(b"hello"))
    assert session_to(server.origin).get(f"{server.origin}/x").content == b"hello"


@pytest.mark.parametrize("host", ["ehr.localhost", "localhost", "EHR.Localhost"])
def test_names_under_localhost_are_loopback_without_dns(serve: Serve, host: str) -> None:
    server = serve(saying(b"here"))
    session = session_to(f"http://{host.lower()}:{server.port}")
    assert session.get(f"http://{host}:{server.port}/").content == b"here"


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/",
        "https://ehr.example:8443/",
        "http://ehr.example/",
        "https://ehr.example@evil.example/",
        "https://user:pass@ehr.example/",
        "https://ehr.example\\@evil.example/",
        "https://ehr.example\\.evil.example/",
        "https://ehr.example./",
        "https://ehr.example /",
        "file:///etc/passwd",
        "ftp://ehr.example/",
        "//ehr.example/",
        "https://",
        "https://[::1",
    ],
)
def test_any_other_spelling_of_an_origin_is_refused_before_sending(url: str) -> None:
    with pytest.raises(EgressRefused):
        session_to("https://ehr.example").get(url)


def test_scheme_and_host_compare_without_regard_to_case_and_default_port() -> None:
    assert origin_of("HTTPS://EHR.Example:443/path") == "https://ehr.example"


def test_a_policy_refuses_an_origin_that_is_not_exact() -> None:
    with pytest.raises(ValueError, match="not an exact origin"):
        EgressPolicy(frozenset({"https://ehr.example/path"}))


def test_loopback_needs_the_sandbox_flag(serve: Serve) -> None:
    server = serve(saying(b""))
    with pytest.raises(EgressRefused):
        session_to(server.origin, allow_loopback=False).get(server.origin)
    assert server.requests == []


def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(EgressRefused, match="plain http"):
        session_to("http://ehr.example").get("http://ehr.example/")


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:10.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a00:1::1]",
        "[::]",
    ],
)
def test_private_link_local_and_metadata_addresses_are_refused(address: str) -> None:
    with pytest.raises(EgressRefused, match="private or reserved"):
        session_to(f"https://{address}").get(f"https://{address}/latest/meta-data/")


def test_a_name_with_one_bad_address_among_good_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(AddressRefused):
        checked_addresses("ehr.example", 443, allow_loopback=True)


def test_a_rebinding_name_is_resolved_once_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(host)
        address = "8.8.8.8" if len(asked) > 1 else "192.168.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(EgressRefused):
        session_to("https://rebind.example").get("https://rebind.example/")
    assert asked == ["rebind.example"]


def test_the_socket_goes_to_the_checked_address_without_a_second_lookup(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(saying(b"pinned"))
    resolved: list[str] = []
    real = socket.getaddrinfo

    def watching(host: str, *rest: object, **named: object) -> object:
        resolved.append(host)
        return real(host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", watching)
    session_to(f"http://ehr.localhost:{server.port}").get(f"http://ehr.localhost:{server.port}/")
    assert all(ipaddress.ip_address(host) for host in resolved)


def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve) -> None:
    server = serve(lambda request: Reply(302, headers={"Location": "http://169.254.169.254/"}))
    answer = session_to(server.origin).get(server.origin)
    assert (answer.status_code, len(server.requests)) == (302, 1)


def test_proxies_and_netrc_of_the_environment_are_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(saying(b"direct"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert session_to(server.origin).get(server.origin).content == b"direct"
    assert "Authorization" not in server.requests[0].headers


def test_a_proxy_that_a_caller_asks_for_is_not_used(serve: Serve) -> None:
    server = serve(saying(b"direct"))
    session = session_to(server.origin)
    assert session.get(server.origin, proxies={"http": "http://127.0.0.1:1"}).content == b"direct"


def test_cookies_of_one_user_never_reach_the_next_call(serve: Serve) -> None:
    server = serve(lambda request: Reply(200, headers={"Set-Cookie": "session=of-another-user; Path=/"}))
    session = session_to(server.origin)
    session.get(server.origin)
    session.get(server.origin)
    assert "Cookie" not in server.requests[1].headers


def test_a_huge_answer_is_cut_off(serve: Serve) -> None:
    server = serve(saying(b"x" * 300_000))
    with pytest.raises(ResponseTooLarge):
        session_to(server.origin, max_response_bytes=200_000).get(server.origin)


def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off(serve: Serve) -> None:
    packed = gzip.compress(b"x" * 5_000_000)
    server = serve(lambda request: Reply(200, packed, {"Content-Encoding": "gzip"}))
    with pytest.raises(ResponseTooLarge):
        session_to(server.origin, max_response_bytes=200_000).get(server.origin)


def test_a_server_that_says_nothing_times_out_whatever_the_caller_asks(serve: Serve) -> None:
    server = serve(lambda request: Reply(fault="hang"))
    with pytest.raises(requests.exceptions.ReadTimeout):
        session_to(server.origin, read_timeout_seconds=0.3).get(server.origin, timeout=None)


def test_a_caller_may_ask_for_less_patience_than_the_policy_has(serve: Serve) -> None:
    server = serve(lambda _: Reply(fault="hang"))
    with pytest.raises(requests.exceptions.ReadTimeout, match=r"0\.2"):
        session_to(server.origin, read_timeout_seconds=20).get(server.origin, timeout=0.2)


def test_a_server_that_trickles_is_given_up(serve: Serve) -> None:
    server = serve(lambda request: Reply(200, b"x" * 100, fault="trickle"))
    session = session_to(server.origin, read_timeout_seconds=5, body_timeout_seconds=0.5)
    with pytest.raises(ResponseTooSlow):
        session.get(server.origin)


def test_a_server_that_trickles_its_headers_is_given_up(serve: Serve) -> None:
    """E16: each byte comes well within the read timeout, the whole never would."""
    server = serve(lambda request: Reply(fault="trickle-head"))
    session = session_to(server.origin, connect_timeout_seconds=0.3, read_timeout_seconds=0.5)
    with pytest.raises(ResponseTooSlow, match="headers"):
        session.get(server.origin)


def test_a_total_that_the_caller_says_is_for_headers_and_body_together(serve: Serve) -> None:
    """E16."""
    total = Timeout(total=0.5, connect=5, read=5)
    for fault in ("trickle-head", "trickle", "hang"):
        server = serve(lambda request, fault=fault: Reply(200, b"x" * 100, fault=fault))
        with pytest.raises(ResponseTooSlow):
            session_to(server.origin).get(server.origin, timeout=total)


def test_a_connection_is_used_again_under_the_deadline_of_the_next_exchange(serve: Serve) -> None:
    """E16: the first one's time is up long before the second one's; one connection serves both."""
    ports: list[int] = []

    def told(request: Request) -> Reply:
        ports.append(request.port)
        return Reply(200, b"hello")

    server = serve(told)
    session = session_to(server.origin)
    assert session.get(server.origin, timeout=Timeout(total=0.2)).content == b"hello"
    threading.Event().wait(0.3)
    assert session.get(server.origin).content == b"hello"
    assert len(set(ports)) == 1


def test_a_server_that_trickles_its_headers_under_tls_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E16: the same for TLS sockets, and what is not slow is answered."""
    with trusted_tls_server(tmp_path, monkeypatch) as (origin, say):
        session = session_to(origin, connect_timeout_seconds=0.5, read_timeout_seconds=0.5)
        say(0)
        assert session.get(origin).content == b"hello"
        say(0.1)
        with pytest.raises(ResponseTooSlow):
            session.get(origin)


def test_a_refused_connection_is_not_connected() -> None:
    """F09."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(NotConnected):
            session_to(origin).get(origin)


def test_an_unresolvable_name_is_not_connected() -> None:
    """F09."""
    with pytest.raises(NotConnected):
        session_to("https://no-such-host.invalid").get("https://no-such-host.invalid/")


def test_a_failed_tls_handshake_is_not_connected(serve: Serve) -> None:
    """F09."""
    server = serve(saying(b"plain text, no TLS"))
    origin = f"https://127.0.0.1:{server.port}"
    with pytest.raises(NotConnected):
        session_to(origin).post(origin, data=b"body")
    assert server.requests == []


def test_an_untrusted_certificate_is_not_connected_even_if_the_caller_says_verify_false(
    tmp_path: Path,
) -> None:
    with untrusted_tls_server(tmp_path) as origin, pytest.raises(NotConnected):
        session_to(origin).post(origin, data=b"body", verify=False)


def test_a_broken_connection_after_sending_is_not_called_not_connected(serve: Serve) -> None:
    """F10."""
    server = serve(lambda request: Reply(fault="reset"))
    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        session_to(server.origin).post(server.origin, data=b"body")
    assert not isinstance(caught.value, NotConnected)
    assert len(server.requests) == 1
