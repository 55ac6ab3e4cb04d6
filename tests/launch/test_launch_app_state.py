"""What SMART offers and we leave alone, and what we ask for so that a write can be checked."""

import re
from pathlib import Path

from launch.scopes import GrantedScopes
from vendors.registry import load_adapters

ROOT = Path(__file__).parents[2]


def test_app_state_is_not_used() -> None:
    """A68: nothing of ours is kept at the EHR beside the chart; no scope, extension or type of it is ever named."""
    named = re.compile(r"smart[-_]app[-_]state|associatedEndpoints|app_state", re.IGNORECASE)
    sources = [path for room in ("app", "launch", "vendors") for path in (ROOT / room).rglob("*.py")]
    configured = [*(ROOT / "smart-config").rglob("*.yaml")]

    assert not [str(path) for path in (*sources, *configured) if named.search(path.read_text(encoding="utf-8"))]


def test_what_can_be_created_can_be_found_again() -> None:
    """A29, A30: without read and search an unclear write could not be settled; and no wildcards."""
    for vendor, adapter in load_adapters(ROOT / "smart-config" / "vendors").items():
        asked = adapter.profile.scope_strings(v2=True)
        assert not [scope for scope in asked if "*" in scope or scope.startswith("system/")]
        scopes = GrantedScopes(" ".join(asked))
        for resource_type in ("DocumentReference", "Provenance"):
            if scopes.allows(resource_type, "c"):
                assert scopes.allows(resource_type, "r"), vendor
                assert scopes.allows(resource_type, "s"), vendor
