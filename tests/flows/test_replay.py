"""The whole record told again: read models from the log, payloads from what was signed."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import delete, select, update

from app.cli.__main__ import countersign
from app.collaborators import EXTENSION, Collaborators
from app.errors import Conflict, Refused
from app.projections.tables import audit_trail, write_status
from app.replay.mapping import preview, regenerate
from app.replay.payloads import ReplayedPayloads, replay_payloads
from app.replay.projections import ReplayedLog, replay_projections
from app.wiring import create_app
from app.writebacks.commands import RegenerateWrite
from app.writebacks.tables import ledger
from tests.service import Service

# On both databases: test_long_replay.py.
pytestmark = pytest.mark.either_database


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
    """I5."""
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


def run(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(countersign, ["log", "replay", *words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def commands(recorded: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr("app.cli.log.wired", lambda: recorded.parts)
    return recorded


def test_another_mapping_is_shown_by_vendor_and_field_without_a_word_of_the_note_and_sends_nothing(
    commands: Service,
) -> None:
    writes = [len(commands.ehr.qa(name, "writes")) for name in ("epic", "reference")]

    shown = run("--mapping", "note-2")

    fields = {"content[].attachment.title": 1, "description": 1}
    assert shown["past"] == {"epic": {"writes": 1, "changed": 1, "refused": 0, "fields": fields}}
    assert shown["pending"] == {"reference": {"writes": 1, "changed": 1, "refused": 0, "fields": fields}}
    assert run("--mapping", "note-1")["past"]["epic"]["changed"] == 0
    assert [len(commands.ehr.qa(name, "writes")) for name in ("epic", "reference")] == writes
    assert shown["regenerated"] == 0
    assert replayed_payloads(commands.parts).identical == 2


def test_what_was_never_sent_is_regenerated_as_it_was_approved_and_then_filed_so(commands: Service) -> None:
    """Key, identifier and ledger stay; what left, and who approved it, stands in the log."""
    parts = commands.parts
    with parts.database.read() as tx:
        before = tx.execute(select(ledger).order_by(ledger.c.idempotency_key)).all()
    shown = run("--mapping", "note-2")

    done = run("--mapping", "note-2", "--approve", shown["approve"])
    again = run("--mapping", "note-2")

    assert done["regenerated"] == 1
    assert (again["pending"]["reference"]["changed"], again["approve"]) == (0, "")
    with parts.database.read() as tx:
        assert tx.execute(select(ledger).order_by(ledger.c.idempotency_key)).all() == before
    assert replayed_payloads(parts) == ReplayedPayloads(identical=2, different=(), other_version=0)
    assert replayed_log(commands).ok
    back = commands.open_chart(ehr="reference")
    commands.work()
    state = back.writeback()
    assert state.stage == "verified"
    assert state.queued.mapping_version == "note-2"
    filed = next(
        one for one in commands.ehr.qa("reference", "resources/DocumentReference") if one["id"] == state.resource_id
    )
    assert re.fullmatch(r".+, \d{4}-\d\d-\d\d", filed["description"])


def test_what_was_approved_twice_is_regenerated_once(commands: Service) -> None:
    """Exactly as shown, or not at all: two who approve at once were shown the same payload to replace."""
    parts = commands.parts
    with parts.database.read() as tx:
        shown = preview(tx, parts.artifacts, parts.ehrs, "note-2")
    args = (parts.database, parts.writebacks, shown, shown.fingerprint, "cli:test", parts.clock)

    assert [regenerate(*args), regenerate(*args)] == [1, 0]


def test_the_canary_files_a_copy_in_a_sandbox_tenant_and_tells_what_the_ehr_does_otherwise(commands: Service) -> None:
    chart = commands.drafted(patient="Nair, Priya")
    chart.settle()
    chart.sign()
    commands.work()
    before = len(commands.ehr.qa("epic", "resources/DocumentReference"))
    sing = ["log", "canary", "harbor-epic", "--most", "1", "--json"]

    same = CliRunner().invoke(countersign, sing)
    commands.ehr.arm("epic", interaction="create", resource_type="DocumentReference", fault="text_crlf")
    other = CliRunner().invoke(countersign, sing)
    commands.change_tenant("harbor-epic", environment="production")
    refused = CliRunner().invoke(countersign, sing)

    assert (same.exit_code, json.loads(same.stdout)["writes"][0]["outcome"]) == (0, "same")
    assert (other.exit_code, json.loads(other.stdout)["writes"][0]["now"]) == (1, ["text"])
    assert isinstance(refused.exception, Refused)
    copies = commands.ehr.qa("epic", "resources/DocumentReference")[before:]
    assert {one["identifier"][0]["system"] for one in copies} == {"urn:countersign:canary"}
    assert len(copies) == 2
    assert replayed_log(commands).ok


def test_what_was_not_shown_is_not_approved_and_what_was_sent_does_not_change(commands: Service) -> None:
    shown = run("--mapping", "note-2")
    commands.signed(patient="Cho, Raymond")

    stale = CliRunner().invoke(countersign, ["log", "replay", "--mapping", "note-2", "--approve", shown["approve"]])

    assert isinstance(stale.exception, Conflict)
    anew = run("--mapping", "note-2")
    commands.work()
    command = RegenerateWrite(b"{}", "note-2", "")
    with commands.parts.database.read() as tx:
        sent = [
            row.writeback_id
            for row in tx.execute(select(write_status.c.writeback_id, write_status.c.attempts))
            if row.attempts
        ]
    for writeback_id in sent:
        tenant = "harbor-epic"
        with commands.parts.database.write() as tx:
            late = commands.parts.writebacks.regenerate(tx, tenant, writeback_id, command, "cli:x", commands.clock())
        assert not late
    assert anew["pending"]["epic"]["writes"] == 1
    assert run("--mapping", "note-2")["pending"].keys() == {"reference"}
