"""The whole record told again: read models from the log, payloads from what was signed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import delete, update

from app.cli.__main__ import countersign
from app.collaborators import EXTENSION, Collaborators
from app.projections.tables import audit_trail, write_status
from app.replay.payloads import ReplayedPayloads, replay_payloads
from app.replay.projections import ReplayedLog, replay_projections
from app.wiring import create_app
from tests.service import Service


@pytest.fixture
def recorded(service: Service) -> Service:
    """A record with a verified note, one that is parked, one to copy, and a draft that nobody signed."""
    service.signed()
    service.signed(ehr="athenaone")
    service.work()
    waiting = service.signed(ehr="reference")
    service.end_tokens()
    service.work()
    assert waiting.writeback().parked_for == "reauth"
    service.drafted(ehr="reference", patient="Sorensen, Helen")
    return service


@pytest.fixture
def under(recorded: Service) -> Iterator[Callable[[Path], Collaborators]]:
    """The same record under another configuration, as after an update."""
    built: list[Flask] = []

    def build(smart_config: Path) -> Collaborators:
        settings = recorded.parts.settings.model_copy(update={"smart_config": smart_config})
        built.append(create_app(settings, recorded.clock))
        parts: Collaborators = built[-1].extensions[EXTENSION]
        return parts

    yield build
    for app in built:
        app.extensions[EXTENSION].database.engine.dispose()


def replayed_log(service: Service) -> ReplayedLog:
    return replay_projections(service.parts.database)


def replayed_payloads(parts: Collaborators) -> ReplayedPayloads:
    with parts.database.read() as tx:
        return replay_payloads(tx, parts.artifacts, parts.ehrs)


def changed_profile(service: Service, tmp_path: Path, *changes: tuple[str, str]) -> Path:
    folder = shutil.copytree(service.parts.settings.smart_config, tmp_path / "changed")
    profile = folder / "vendors" / "epic.yaml"
    text = profile.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    profile.write_text(text)
    return folder


def test_a_replay_gives_the_read_models_and_the_payloads_that_are_in_use(recorded: Service) -> None:
    log = replayed_log(recorded)

    assert log.ok
    assert log.events > 20
    assert log.read_models["audit_trail"].rows == log.events
    assert log.read_models["write_status"].rows == 3
    assert replayed_payloads(recorded.parts) == ReplayedPayloads(identical=2, different=(), other_version=0)


def test_a_read_model_that_is_not_what_the_log_says_is_found_and_named(recorded: Service) -> None:
    replayed_log(recorded)
    with recorded.parts.database.write() as tx:
        tx.execute(update(write_status).where(write_status.c.stage == "parked").values(stage="verified"))
        tx.execute(delete(audit_trail).where(audit_trail.c.sequence == 2))

    log = replayed_log(recorded)

    assert not log.ok
    assert len(log.read_models["write_status"].different) == 1
    assert "harbor-epic/2" in log.read_models["audit_trail"].different


def test_a_replay_leaves_what_is_in_use_alone(recorded: Service) -> None:
    replayed_log(recorded)
    with recorded.parts.database.write() as tx:
        tx.execute(update(write_status).values(attempts=99))

    replayed_log(recorded)

    with recorded.parts.database.read() as tx:
        assert {row.attempts for row in tx.execute(write_status.select())} == {99}


def test_a_profile_that_was_changed_without_a_new_version_is_found(
    recorded: Service, under: Callable[[Path], Collaborators], tmp_path: Path
) -> None:
    changed = changed_profile(recorded, tmp_path, ("value: text/plain,", 'value: "text/plain; charset=utf-8",'))

    payloads = replayed_payloads(under(changed))

    assert (payloads.identical, len(payloads.different), payloads.other_version) == (1, 1, 0)
    assert payloads.different[0].startswith("writeback:")


def test_a_payload_of_another_version_is_counted_and_not_judged(
    recorded: Service, under: Callable[[Path], Collaborators], tmp_path: Path
) -> None:
    version = recorded.parts.ehrs.adapter("harbor-epic").profile.version
    changed = changed_profile(recorded, tmp_path, (f'version: "{version}"', 'version: "2031-01.1"'))

    assert replayed_payloads(under(changed)) == ReplayedPayloads(identical=1, different=(), other_version=1)


def test_the_command_prints_one_object_and_its_exit_code_says_whether_all_is_well(
    recorded: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.log.wired", lambda: recorded.parts)

    good = CliRunner().invoke(countersign, ["log", "replay", "--json"])
    with recorded.parts.database.write() as tx:
        tx.execute(update(write_status).values(attempts=99))
    bad = CliRunner().invoke(countersign, ["log", "replay", "--json"])

    document = json.loads(good.stdout)
    assert (good.exit_code, document["ok"], document["payloads"]["identical"]) == (0, True, 2)
    assert (bad.exit_code, json.loads(bad.stdout)["ok"]) == (1, False)
