"""One exchange with a server that is in no hurry."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from launch.wire import NoAnswer, fetch
from vendors.egress import EgressPolicy, guarded_session

HEAD = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 60 + b"\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def slow_server() -> Iterator[tuple[str, bytearray]]:
    """Sends a byte of its headers every tenth of a second; its origin, and what it has sent."""
    sent = bytearray()
    gone = threading.Event()

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            connection.recv(65_536)
            for byte in HEAD:
                connection.sendall(bytes([byte]))
                sent.append(byte)
                gone.wait(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        gone.set()
        thread.join(5)


def test_headers_that_trickle_in_are_given_up_within_the_time_of_the_exchange(
    slow_server: tuple[str, bytearray],
) -> None:
    """E16: long before they end; and it is not said to be unsent, because it was sent."""
    origin, sent = slow_server
    session = guarded_session(EgressPolicy(frozenset({origin}), allow_loopback=True))
    with pytest.raises(NoAnswer, match="took too long") as caught:
        fetch(session, f"{origin}/", {}, seconds=0.5)
    assert not caught.value.unsent
    assert 0 < len(sent) < len(HEAD) / 2
