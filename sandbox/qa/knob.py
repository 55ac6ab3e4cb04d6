"""What a fault knob is, and the pieces that knobs are made of."""

import errno
import json
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request

from sandbox.clock import right_clock
from sandbox.errors import NoAnswer
from sandbox.qa.faults import Fault
from sandbox.qa.interactions import DOCUMENTS

Proceed = Callable[[], Response]
Answer = Callable[[Proceed, Fault], Response]


@dataclass(frozen=True)
class Knob:
    """What a fault does, and in a few words for the switch on a page.

    It gets `proceed`, which really carries the request out, and may call it or not, before or after misbehaving:
    "commit then ..." knobs call it and lose the answer.

    `on` names the interactions that it is made for, the usual one first; empty means any. A `setting` spoils no
    answer by itself but changes how the EHR works, so that it can be combined with others.
    """

    answer: Answer
    words: str
    on: tuple[str, ...] = ()
    setting: bool = False
    # Whether `seconds` may be below zero.
    backwards: bool = False
    # The only resource type that it is made for; None for any.
    of_type: str | None = None

    @property
    def can_be_one_launchs(self) -> bool:
        """False where a request does not say which launch it belongs to."""
        return not self.on or not set(self.on) <= {*DOCUMENTS, "callback"}


def setting(name: str, value: Callable[[Fault], Any]) -> Answer:
    """Put a value where the code that works by it looks, and let the request go on."""

    def answer(proceed: Proceed, fault: Fault) -> Response:
        setattr(g, name, value(fault))
        return proceed()

    return answer


def edited(edit: Callable[[dict[str, Any], Fault], Any]) -> Answer:
    """Change the JSON of a successful answer."""

    def answer(proceed: Proceed, fault: Fault) -> Response:
        response = proceed()
        body = response.get_json(silent=True)
        if response.status_code == 200 and isinstance(body, dict):
            edit(body, fault)
            response.set_data(json.dumps(body))
        return response

    return answer


def oauth_error(status: int, error: str, description: str) -> Answer:
    """Do nothing and answer with an OAuth error (RFC 6749 5.2)."""

    def answer(_proceed: Proceed, _fault: Fault) -> Response:
        body = json.dumps({"error": error, "error_description": description})
        response = Response(body, status, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def outcome(status: int, fault: Fault, text: str = "", code: str = "transient") -> Response:
    """An OperationOutcome that names the knob; the fault's options `code` and `text` go before."""
    said = str(fault.options.get("text", text or f"Fault knob: {fault.fault}"))
    issue = {"severity": "error", "code": str(fault.options.get("code", code)), "diagnostics": said}
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return Response(body, status, content_type="application/fhir+json")


def dropped() -> Response:
    """End the connection: nothing of this response arrives. Raises NoAnswer where there is no connection."""
    _connection("closed").shutdown(socket.SHUT_RDWR)
    return Response("", 500)


def reset() -> Response:
    """Reset the connection (RST). Raises NoAnswer where there is no connection."""
    connection = _connection("reset")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return Response(_broken(), 500)


def silent(seconds: float) -> Response:
    """Say nothing for some seconds, then end the connection. Raises NoAnswer where there is no connection."""
    _connection("silent", seconds)
    right_clock().sleep(seconds)
    return dropped()


def _connection(kind: str, seconds: float = 0) -> socket.socket:
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    if connection is None:
        raise NoAnswer(kind, seconds)
    return connection


def _broken() -> Iterator[bytes]:
    # gunicorn closes a connection that broke without a word more; with linger 0, closing is resetting.
    raise ConnectionResetError(errno.ECONNRESET, "reset by a fault knob")
    yield b""
