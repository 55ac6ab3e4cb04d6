from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted_server import Answer, ScriptedServer

from vendors.contract import VendorAdapter
from vendors.egress import EgressPolicy, guarded_session
from vendors.registry import load_adapters
from vendors.transport import FHIRTransport, SignersTransport

PROFILES = Path(__file__).parents[2] / "smart-config" / "vendors"


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], ScriptedServer]]:
    started: list[ScriptedServer] = []

    def start(answer: Answer) -> ScriptedServer:
        started.append(ScriptedServer(answer))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def transport_to() -> Callable[..., FHIRTransport]:
    def make(server: ScriptedServer, *, token: str = "secret-token", **policy: object) -> FHIRTransport:
        origins = frozenset({server.origin})
        limits = {"read_timeout_seconds": 0.5, "connect_timeout_seconds": 3, **policy}
        session = guarded_session(EgressPolicy(origins, allow_loopback=True, **limits))
        return SignersTransport(f"{server.origin}/fhir/R4", session, token, "epic", "correlation-1")

    return make


@pytest.fixture(scope="session")
def adapters() -> dict[str, VendorAdapter]:
    return load_adapters(PROFILES)
