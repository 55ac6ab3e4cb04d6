"""The simulation finds what it is for: with one of the pipeline's safeguards taken out it fails, each time."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.chaos.faults import Fault
from app.chaos.history import Act, Doing, History, Note
from app.chaos.simulation import played, quiet
from app.chaos.world import World, fresh_world
from app.outbox import rows
from app.reconciliation.reconcile import Reconciliation
from app.writebacks import ledger
from app.writebacks.commands import BeginAttempt, RecordReadBack
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage

REFERENCE = (Note(0, 0, 0),)
SIGN_AND_WORK = (Act(Doing.SIGN), Act(Doing.WORK))
Mutant = Callable[[World, pytest.MonkeyPatch], None]


def without_lease(world: World, patch: pytest.MonkeyPatch) -> None:
    """Whoever comes takes the row, and every result counts."""
    patch.setattr(world.parts.drain, "_lease", timedelta(milliseconds=1))
    patch.setattr(rows, "check_fence", lambda tx, lease, now: None)
    patch.setattr(rows, "_held_by", lambda lease: rows.outbox.c.writeback_id == lease.writeback_id)


def without_marker(world: World, patch: pytest.MonkeyPatch) -> None:
    """The beginning of a send is recorded together with its end."""
    carry_out, begun = WritebackCommands.by_worker, {}

    def by_worker(self, tx, lease, command, now, *, keep_lease=False):  # type: ignore[no-untyped-def]
        if isinstance(command, BeginAttempt):
            begun[lease.writeback_id] = command
            return
        if lease.writeback_id in begun:
            carry_out(self, tx, lease, begun.pop(lease.writeback_id), now, keep_lease=True)
        carry_out(self, tx, lease, command, now, keep_lease=keep_lease)

    patch.setattr(WritebackCommands, "by_worker", by_worker)


def without_read_back(world: World, patch: pytest.MonkeyPatch) -> None:
    """What the EHR said that it took is what it holds."""

    def read_back(self, lease, state):  # type: ignore[no-untyped-def]
        stored = json.dumps({"resourceType": "DocumentReference", "id": state.resource_id}).encode()
        self._record(lease, RecordReadBack(state.resource_id or "", None, True, (), stored))

    patch.setattr(Reconciliation, "read_back", read_back)
    reconciliation = world.parts.drain._work[Stage.FILED].__self__  # type: ignore[attr-defined]
    work = {**world.parts.drain._work, Stage.FILED: reconciliation.read_back}
    patch.setattr(world.parts.drain, "_work", work)


def without_ledger(world: World, patch: pytest.MonkeyPatch) -> None:
    """A second order of the same write is as good as the first."""
    entered: set[str] = set()
    order = ledger.order

    def unchecked(tx, key, tenant_id, writeback_id, payload_digest, now):  # type: ignore[no-untyped-def]
        if key in entered:
            return writeback_id
        entered.add(key)
        return order(tx, key, tenant_id, writeback_id, payload_digest, now)

    patch.setattr(ledger, "order", unchecked)


# One history is enough for most; which step of a filing meets the other worker shifts with the code, so some are tried.
PLANTED: dict[str, tuple[Mutant, tuple[History, ...]]] = {
    "lease": (
        without_lease,
        tuple(History(REFERENCE, SIGN_AND_WORK, (Fault("paused", at, 600),)) for at in (150, 142, *range(126, 182, 4))),
    ),
    "send marker": (without_marker, (History(REFERENCE, SIGN_AND_WORK, ()),)),
    "read-back": (without_read_back, (History(REFERENCE, SIGN_AND_WORK, (Fault("rewrite_text", 0),)),)),
    "ledger": (
        without_ledger,
        (History(REFERENCE, (*SIGN_AND_WORK, Act(Doing.ORDER_AGAIN), Act(Doing.WORK)), ()),),
    ),
}


@pytest.mark.parametrize("safeguard", PLANTED)
def test_the_simulation_fails_without(safeguard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F49, I1, I2, I3, I4: and keeps every promise in the same history while the safeguard is in place."""
    mutant, histories = PLANTED[safeguard]

    with fresh_world() as planted, monkeypatch.context() as patch:
        mutant(planted, patch)
        found = next((one for at, one in enumerate(histories) if is_broken(planted, one, f"planted-{at}")), None)

    assert found, f"nothing was found without the {safeguard}"
    with fresh_world() as sound:
        assert not is_broken(sound, found, "sound")


def is_broken(world: World, history: History, name: str) -> bool:
    """Whether the history breaks a promise in this world."""
    with quiet() as alarms:
        return bool(played(world, history, name, alarms).violations)
