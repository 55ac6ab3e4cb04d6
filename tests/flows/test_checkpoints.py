"""Signed checkpoints outside of the database, and a log that is verified without Countersign."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, select, text, update

from app.cli.__main__ import countersign
from app.collaborators import EXTENSION, Collaborators
from app.db import begin_write_on_sqlite
from app.event_log import standalone_verifier
from app.event_log.checkpoint import Checkpoint, Signer, Verifiers, notes_in
from app.event_log.checkpoints import Checkpoints, append_note, file_of, signers, verify_checkpoints
from app.event_log.recorded import GENESIS, chain_hash
from app.event_log.tables import events, log_heads
from app.event_log.tree import Tree, beside
from app.event_log.verify import verify
from app.sealing import load_keyring
from app.settings import Settings
from app.wiring import create_app
from tests.factories import NOON
from tests.long_log import grow
from tests.service import SEALING_KEY, SECRET, SettableClock

TENANT = "harbor-epic"
LEAVES = [bytes.fromhex(one) for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes.fromhex("606162636465666768696a6b6c6d6e6f")
]
# The test vectors of Certificate Transparency's own implementation (RFC 6962, section 2.1).
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
SIGNER = Signer.from_seed("countersign", bytes(32))


@pytest.fixture
def parts(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collaborators]:
    """The app with a directory for checkpoints, and a log with several of them."""
    environment = {
        "COUNTERSIGN_HOME": str(tmp_path),
        "COUNTERSIGN_DATABASE_URL": migrated_url,
        "COUNTERSIGN_SEALING_KEYS": SEALING_KEY,
        "COUNTERSIGN_CHECKPOINTS": str(tmp_path / "elsewhere"),
        "COUNTERSIGN_LAKESIDE_SECRET": SECRET,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    clock = SettableClock()
    built: Collaborators = create_app(Settings(), clock).extensions[EXTENSION]
    for _ in grow(built, TENANT, 250, at_once=100):
        clock.advance(minutes=6)
        assert built.checkpoints.sweep() == 1
        assert built.checkpoints.sweep() == 0
    yield built
    built.database.engine.dispose()


def found(tx: Connection, parts: Collaborators) -> list[str]:
    """What the checkpoints show, while the chain itself shows nothing."""
    assert verify(tx).ok
    keyring = load_keyring(SEALING_KEY, Path())
    verifiers = Verifiers(one.verifier for one in signers(keyring))
    directory = parts.settings.checkpoint_directory
    assert directory is not None
    checked, problems = verify_checkpoints(tx, directory, verifiers)
    assert checked >= 3
    return [problem.what for problem in problems]


def as_owner(tx: Connection) -> None:
    """No trigger stops whoever owns the database."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("ALTER TABLE events DISABLE TRIGGER USER"))
    else:
        for change in ("update", "delete", "replace"):
            tx.execute(text(f"DROP TRIGGER events_no_{change}"))


def cut_off(tx: Connection, keep: int) -> None:
    """The tail is gone, and the head says that it never was."""
    as_owner(tx)
    tx.execute(delete(events).where(events.c.sequence > keep))
    last = tx.execute(select(events.c.hash).where(events.c.sequence == keep)).scalar_one()
    tx.execute(update(log_heads).values(sequence=keep, hash=last))


def write_anew(tx: Connection, since: int) -> None:
    """Another history from some event on, with hashes that fit."""
    as_owner(tx)
    previous = GENESIS
    for row in tx.execute(select(events).order_by(events.c.sequence)).mappings().all():
        changed = dict(row) | ({"actor": "somebody#else"} if row["sequence"] == since else {})
        hashed = chain_hash(previous, changed, changed["payload"])
        anew = {"actor": changed["actor"], "previous_hash": previous, "hash": hashed}
        tx.execute(update(events).where(events.c.position == row["position"]).values(**anew))
        previous = hashed
    tx.execute(update(log_heads).values(hash=previous))


def test_a_log_that_was_cut_off_or_written_anew_with_its_head_is_found_by_its_checkpoints(
    parts: Collaborators,
) -> None:
    """E40: the chain alone does not see it, and says so."""
    with parts.database.read() as tx:
        assert found(tx, parts) == []
        size = tx.execute(select(log_heads.c.sequence)).scalar_one()

    for attack, says in ((lambda tx: cut_off(tx, size - 1), "ends here"), (lambda tx: write_anew(tx, 7), "is not the")):
        with parts.database.engine.connect() as tx, tx.begin() as work:
            if tx.dialect.name == "sqlite":
                begin_write_on_sqlite(tx)
            attack(tx)
            problems = found(tx, parts)
            work.rollback()
        assert len(problems) == 1
        assert says in problems[0]


def test_a_log_that_became_shorter_gets_no_checkpoint_more(parts: Collaborators) -> None:
    directory = parts.settings.checkpoint_directory
    assert directory is not None
    with parts.database.write() as tx:
        cut_off(tx, 40)
    before = file_of(directory, TENANT).read_bytes()
    after_a_restart = Checkpoints(
        parts.database, load_keyring(SEALING_KEY, Path()), directory, timedelta(0), parts.clock
    )

    assert after_a_restart.sweep() == 0
    assert file_of(directory, TENANT).read_bytes() == before


def test_the_commands_verify_and_export_what_a_stranger_can_verify_alone(parts: Collaborators, tmp_path: Path) -> None:
    """E41: an independent verifier, on nothing but what was exported and a key that was kept elsewhere."""
    run = CliRunner()
    checked = json.loads(run.invoke(countersign, ["log", "verify", "--json"]).stdout)
    assert (checked["ok"], checked["checkpoints"]) == (True, 3)
    key = run.invoke(countersign, ["log", "keys"]).stdout.split()[0]
    out = tmp_path / "export"
    mistyped = run.invoke(countersign, ["log", "export", f"{TENANT}x", str(out)])
    assert (mistyped.exit_code, f"There is no event of {TENANT}x" in mistyped.stdout, out.exists()) == (1, True, False)
    exported = run.invoke(countersign, ["log", "export", TENANT, str(out), "--json"])
    assert json.loads(exported.stdout)["events"] == checked["events"]

    assert stranger(out, key) == (0, [])
    assert stranger(out, Signer.from_seed("countersign", b"x" * 32).verifier)[0] == 1
    lines = (out / "events.jsonl").read_text().splitlines()
    (out / "events.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert stranger(out, key) == (
        1,
        [f"the log ends after {len(lines) - 1} events; a checkpoint was signed for {len(lines)}"],
    )
    (out / "events.jsonl").write_text("\n".join([lines[0].replace("osei", "nemo"), *lines[1:]]) + "\n")
    assert stranger(out, key) == (1, ["event 1: it was changed after it was recorded"])


def test_one_event_is_proven_to_a_stranger_who_sees_nothing_else_of_the_log(
    parts: Collaborators, tmp_path: Path
) -> None:
    """E41: against the newest checkpoint and a key that was kept elsewhere; changed in any part it is refused."""
    run, out = CliRunner(), tmp_path / "proof"
    key = run.invoke(countersign, ["log", "keys"]).stdout.split()[0]
    assert run.invoke(countersign, ["log", "proof", TENANT, "100", str(out)]).exit_code == 0
    assert stranger(out, key) == (0, [])
    assert stranger(out, Signer.from_seed("countersign", b"x" * 32).verifier)[0] == 1
    assert run.invoke(countersign, ["log", "proof", TENANT, "999999", str(tmp_path / "none")]).exit_code != 0

    file = out / "proof.json"
    proof = json.loads(file.read_text())
    assert proof["event"]["sequence"] == 100
    elsewhere = "the event does not stand in the log that the checkpoint was signed for"
    for changed, problems in (
        (proof | {"event": proof["event"] | {"actor": "nemo"}}, ["the event was changed after it was recorded"]),
        (proof | {"path": proof["path"][::-1]}, [elsewhere]),
        (proof | {"path": proof["path"][1:]}, [elsewhere]),
        (proof | {"path": [*proof["path"], proof["path"][0]]}, [elsewhere]),
    ):
        file.write_text(json.dumps(changed))
        assert stranger(out, key) == (1, problems)


def test_a_proof_of_each_event_leads_to_the_root_in_logs_of_every_size() -> None:
    """E39, E41: for every place of the first sixty logs, and for no other place."""
    tree, leaves = Tree(), list[bytes]()
    for size in range(1, 61):
        leaves.append(str(size).encode())
        tree = tree.grown(leaves[-1])
        for index, leaf in enumerate(leaves):
            path = beside(leaves, index)
            assert standalone_verifier.climbed(leaf, index, size, path) == tree.root()
            assert standalone_verifier.climbed(leaf, index + 1, size, path) != tree.root()


def stranger(out: Path, key: str) -> tuple[int, list[str]]:
    """Another machine: the interpreter alone, isolated from every installed package."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(out / "verify.py"), str(out), key], capture_output=True, check=False, cwd=out
    )
    return done.returncode, json.loads(done.stdout)["problems"]


def test_the_tree_is_the_one_of_rfc_6962() -> None:
    """E39: its published vectors, and the same root in the exported verifier."""
    tree, edge = Tree(), list[bytes]()
    assert tree.root().hex() == hashlib.sha256(b"").hexdigest()
    for number, leaf in enumerate(LEAVES, start=1):
        edge = standalone_verifier.grown(edge, tree.size, leaf)
        tree = tree.grown(leaf)
        assert tree.is_possible
        assert tree.root() == standalone_verifier.root(edge)
        assert tree.root().hex() == ROOTS.get(number, tree.root().hex())


def test_both_verifiers_of_a_signature_say_the_same_and_a_changed_byte_is_refused() -> None:
    """The published vector of RFC 8032, section 7.1, and the maintained library beside it."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert standalone_verifier.verified(public, b"\x72", signature)
    assert not standalone_verifier.verified(public, b"\x73", signature)
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    signed = key.sign(b"message")
    for at in (0, 31, 32, 63):
        broken = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
        assert not standalone_verifier.verified(key.public_key().public_bytes_raw(), b"message", broken)


def test_a_checkpoint_file_that_a_crash_tore_goes_on_with_the_next_one(tmp_path: Path) -> None:
    path, verifiers = tmp_path / "one.checkpoints", Verifiers([SIGNER.verifier])
    notes = [SIGNER.signed(Checkpoint("countersign/one", Tree().grown(leaf), NOON)) for leaf in (b"a", b"b", b"c")]
    append_note(path, notes[0])
    append_note(path, notes[1][:50])
    append_note(path, notes[2])

    opened = [verifiers.opened(note) for note in notes_in(path.read_text())]

    assert [one.tree.root() if one else None for one in opened] == [
        Tree().grown(b"a").root(),
        None,
        Tree().grown(b"c").root(),
    ]


@pytest.mark.parametrize(
    "change", [("\n1\n", "\n2\n"), ("countersign/one", "countersign/two"), ("at 2026", "at 2027"), ("edge", "EDGE")]
)
def test_a_changed_line_of_a_checkpoint_is_not_signed_by_us(change: tuple[str, str]) -> None:
    note = SIGNER.signed(Checkpoint("countersign/one", Tree().grown(b"a"), NOON))
    verifiers = Verifiers([SIGNER.verifier])
    assert verifiers.opened(note.rstrip("\n") + "\n") is not None
    changed = note.replace(*change, 1)
    assert changed != note
    assert verifiers.opened(changed.rstrip("\n") + "\n") is None


def test_a_line_that_is_no_key_is_refused() -> None:
    name, key_id, key = SIGNER.verifier.split("+", 2)
    other = base64.b64encode(b"\x04" + base64.b64decode(key)[1:]).decode()
    for line in (f"{name}+{key_id}+{other}", f"{name}+00000000+{key}", "no key"):
        with pytest.raises(ValueError):
            Verifiers([line])
