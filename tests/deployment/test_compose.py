"""docker-compose.yml, Dockerfile and .env.example say what the code can do, and agree with each other."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema.validators import validator_for

from app.cli.__main__ import countersign
from app.outbox.relay import JOB_TIMEOUT_SECONDS
from app.settings import Settings
from app.wiring import create_app
from tests.deployment.compose_file import REFERENCE, ROOT, compose_file, compose_text, copied_folders, dockerfile

COMPOSE = compose_file()
SERVICES = COMPOSE.services
HEALTH_PATH = re.compile(r"http://127\.0\.0\.1:\d+(/\w+)")
UNITS = {"s": 1, "m": 60}


def seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]


def test_the_file_holds_every_process_and_nothing_else() -> None:
    assert set(SERVICES) == {"migrate", "web", "worker", "sweeper", "postgres", "redis", "sandbox"}


def test_the_file_is_what_the_compose_specification_allows() -> None:
    """The full JSON schema is in the package check-jsonschema; where that is installed, the file is held against it."""
    schema = pytest.importorskip("check_jsonschema.builtin_schemas").get_builtin_schema("vendor.compose-spec")
    found = [error.json_path for error in validator_for(schema)(schema).iter_errors(yaml.safe_load(compose_text()))]
    assert found == []


def test_every_top_level_key_is_one_of_the_specification() -> None:
    assert {key for key in COMPOSE.document if not key.startswith("x-")} == {"configs", "name", "services", "volumes"}


@pytest.mark.parametrize("name", COMPOSE.ours)
def test_every_command_can_be_parsed_by_the_cli(name: str) -> None:
    command, *arguments = SERVICES[name]["command"]

    context = countersign.commands[command].make_context(command, list(arguments))

    assert context.args == []


@pytest.mark.parametrize("name", COMPOSE.ours)
def test_every_variable_is_a_setting_or_is_named_by_a_tenants_file(name: str) -> None:
    settings = {f"COUNTERSIGN_{field}".upper() for field in Settings.model_fields}
    tenants = "".join(path.read_text() for path in (ROOT / "smart-config" / "tenants").glob("*.yaml"))
    named = {found["name"] for found in REFERENCE.finditer(tenants)}

    assert set(SERVICES[name].get("environment", {})) <= settings | named


def test_all_processes_get_the_same_environment_and_only_the_migration_is_the_tables_owner() -> None:
    given = {name: dict(SERVICES[name]["environment"]) for name in ("migrate", "web", "worker", "sweeper")}
    roles = {name: urlsplit(one.pop("COUNTERSIGN_DATABASE_URL")).username for name, one in given.items()}
    assert all(one == given["web"] for one in given.values())
    assert roles == {"migrate": "countersign", **dict.fromkeys(("web", "worker", "sweeper"), "countersign_web")}
    assert roles["migrate"] == SERVICES["postgres"]["environment"]["POSTGRES_USER"]


def test_nothing_of_the_embedded_defaults_is_left_in_use() -> None:
    assert {"COUNTERSIGN_DATABASE_URL", "COUNTERSIGN_REDIS_URL", "COUNTERSIGN_SEALING_KEYS"} <= set(
        SERVICES["web"]["environment"]
    )


def test_no_secret_stands_in_the_file() -> None:
    text = REFERENCE.sub("<from .env>", compose_text())
    secretive = re.compile(r"(password|secret|keys?)\"?:\s*(?P<value>\S.*)", re.IGNORECASE)
    written = [found["value"] for found in secretive.finditer(text)]
    assert len(written) == 4, written
    assert all("<from .env>" in value for value in written), written
    assert re.search(r"//countersign:<from \.env>@postgres", text)
    assert re.search(r"//countersign_web:<from \.env>@postgres", text)
    assert "LOGIN PASSWORD '<from .env>'" in text


def test_every_secret_is_asked_for_and_explained_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    asked = {found["name"] for found in REFERENCE.finditer(compose_text())}
    assert set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE)) == asked
    # `:?` stops Compose with a message instead of starting with an empty secret.
    assert all(found["required"] for found in REFERENCE.finditer(compose_text()))
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_images_are_pinned_to_an_exact_version() -> None:
    bases = re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)
    images = [*(service["image"] for service in SERVICES.values()), *bases]
    assert len(images) == len(SERVICES) + 1
    assert all(re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", image) for image in images), images


def test_the_images_python_is_one_that_the_lock_was_made_for() -> None:
    assert "--python-version 3.11" in (ROOT / "Makefile").read_text()
    assert re.search(r"^FROM python:3\.11\.", dockerfile(), re.MULTILINE)


def test_every_server_has_a_health_check() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == {
        "web", "postgres", "redis", "sandbox"
    }  # fmt: skip


def test_the_health_check_of_the_web_process_is_one_of_its_pages(tmp_path: Path) -> None:
    routes = {str(rule) for rule in create_app(Settings(home=tmp_path)).url_map.iter_rules()}
    path = HEALTH_PATH.search(SERVICES["web"]["healthcheck"]["test"][-1])
    assert path
    assert path[1] in routes


def test_whoever_is_depended_on_can_meet_the_condition() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no", f"{other} would never end"


def test_no_process_that_needs_the_database_starts_before_it_is_migrated() -> None:
    for name in ("web", "worker", "sweeper"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_a_running_send_is_given_the_time_to_end() -> None:
    """F35."""
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > JOB_TIMEOUT_SECONDS


def test_running_requests_are_given_the_time_to_end() -> None:
    graceful = re.search(r'"graceful_timeout": (\d+)', (ROOT / "app" / "web.py").read_text())
    assert graceful
    assert seconds(SERVICES["web"]["stop_grace_period"]) > int(graceful[1])


def test_redis_keeps_what_it_was_told() -> None:
    """F03."""
    command = SERVICES["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"


def test_only_the_pages_and_the_sandbox_are_published_and_only_on_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:8410:8410", "127.0.0.1:8411:8411"]


def test_data_that_must_last_is_on_a_volume() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert mounted == set(COMPOSE.document["volumes"]) == {"postgres-data", "redis-data", "sandbox-data"}


def test_our_processes_run_without_rights() -> None:
    for service in COMPOSE.ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert re.search(r"^USER \d+$", dockerfile(), re.MULTILINE)
    assert "--require-hashes" in dockerfile()


def test_the_image_gets_the_code_and_everything_beside_it() -> None:
    folders = copied_folders()
    assert set(folders) == {
        "app", "launch", "vendors", "sandbox", "templates", "static", "migrations", "smart-config"
    }  # fmt: skip
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == {*folders, "requirements.lock"}
    assert "*" in ignored
