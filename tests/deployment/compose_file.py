"""docker-compose.yml and the Dockerfile as tests read them: interpolated as Compose would, nothing else changed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SECRETS = {
    "POSTGRES_PASSWORD": "0f6d3c2b1a",
    "COUNTERSIGN_WEB_PASSWORD": "9e8d7c6b5a",
    "COUNTERSIGN_SEALING_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "COUNTERSIGN_LAKESIDE_SECRET": "a-secret-of-the-compose-file",
}
# ${NAME} or ${NAME:?what to do}: the two forms that the file uses.
REFERENCE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<required>:\?[^}]*)?\}")


@dataclass(frozen=True)
class ComposeFile:
    """The file's text after interpolation and after `replaced`, in which a test moves ports and paths."""

    environment: Mapping[str, str]
    replaced: Mapping[str, str]

    @cached_property
    def document(self) -> dict[str, Any]:
        text = REFERENCE.sub(lambda found: self.environment[found["name"]], compose_text())
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return yaml.safe_load(text)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return self.document["services"]

    @property
    def ours(self) -> dict[str, dict[str, Any]]:
        """The services that run our image."""
        return {name: service for name, service in self.services.items() if "build" in service}


def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def compose_file(**replaced: str) -> ComposeFile:
    """The file with test secrets."""
    return ComposeFile(SECRETS, replaced)


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def copied_folders() -> list[str]:
    """The folders that the image is made of."""
    return re.findall(r"^COPY (\w[\w-]*) \1$", dockerfile(), re.MULTILINE)
