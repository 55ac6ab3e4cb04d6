"""A small HTTP server on 127.0.0.1 whose answers, silences and broken connections a test writes down."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int = 0  # the client's, which tells its connections apart


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""  # "reset" | "cut" | "hang" | "trickle" | "trickle-head"


Answer = Callable[[Request], Reply]


def fhir(resource: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(resource).encode(), {"Content-Type": "application/fhir+json", **named})


def bundle(*resources: dict[str, Any], next_url: str | None = None) -> dict[str, Any]:
    links = [{"relation": "next", "url": next_url}] if next_url else []
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": [{"resource": resource, "search": {"mode": "match"}} for resource in resources],
    }


def outcome(code: str, severity: str = "error", **extra: Any) -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, **extra}],
    }


class ScriptedServer:
    def __init__(self, answer: Answer) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self.released = threading.Event()
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_port
        self.origin = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # the chart reader opens a dozen connections at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what several tests are about."""


def _handler(scripted: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            request = Request(
                self.command, self.path, dict(self.headers), self.rfile.read(length), self.client_address[1]
            )
            scripted.requests.append(request)
            _deliver(self, scripted, scripted.answer(request))

        do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Nothing: the test reads `requests`."""

    return Handler


def _deliver(handler: BaseHTTPRequestHandler, scripted: ScriptedServer, reply: Reply) -> None:
    if reply.fault == "hang":
        scripted.released.wait(20)
        handler.close_connection = True
        return
    if reply.fault == "reset":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True
        return
    if reply.fault == "trickle-head":
        _trickle(handler, scripted, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 50 + b"\r\nContent-Length: 0\r\n\r\n")
        return
    if reply.status < 200:  # an interim status is no answer; the test wants it as the last line
        handler.wfile.write(f"HTTP/1.1 {reply.status} Odd\r\n\r\n".encode())
        handler.close_connection = True
        return
    _send_head(handler, reply)
    _send_body(handler, scripted, reply)


def _send_head(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.status not in (204, 304):
        promised = len(reply.body) + (100 if reply.fault == "cut" else 0)
        handler.send_header("Content-Length", str(promised))
    handler.end_headers()


def _send_body(handler: BaseHTTPRequestHandler, scripted: ScriptedServer, reply: Reply) -> None:
    if reply.status in (204, 304):
        return
    if reply.fault == "trickle":
        _trickle(handler, scripted, reply.body)
        return
    handler.wfile.write(reply.body)
    handler.close_connection = handler.close_connection or reply.fault == "cut"


def _trickle(handler: BaseHTTPRequestHandler, scripted: ScriptedServer, data: bytes) -> None:
    for byte in data:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if scripted.released.wait(0.1):
            return
