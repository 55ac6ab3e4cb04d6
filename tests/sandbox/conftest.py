from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ehr import RunningSandbox, running_sandbox
from tests.sandbox.smart_app import REDIRECT_URI, SECRET, KeyServer


@pytest.fixture(scope="session")
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, key_server: KeyServer) -> Iterator[RunningSandbox]:
    home: Path = tmp_path_factory.mktemp("sandbox")
    secret = _client("secret-app", {"method": "client_secret_basic", "secret": SECRET})
    public = _client("public-app", {"method": "none"})
    keys = _client("key-app", {"method": "private_key_jwt", "jwks_uri": key_server.jwks_uri})
    limited = {**secret, "client_id": "limited-app", "scopes": ["user/Patient.rs", "user/Observation.rs"]}
    clients = {
        "epic": [secret, keys],
        "athenaone": [secret],
        "ecw": [secret],
        "reference": [secret, public, keys, limited],
    }
    with running_sandbox(home, clients) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "sandbox" in request.fixturenames:
        running = request.getfixturevalue("sandbox")
        for ehr in ("epic", "athenaone", "ecw", "reference"):
            running.clear_faults(ehr)


def _client(client_id: str, auth: dict[str, str]) -> dict[str, object]:
    return {
        "client_id": client_id,
        "redirect_uris": [REDIRECT_URI],
        "launch_url": "http://app.localhost:1/launch",
        "auth": auth,
    }
