"""The simulation finds what it is for: with one of the pipeline's safeguards taken out it fails, each time."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, bindparam, update

from app.chaos.faults import Fault
from app.chaos.history import Act, Doing, History, Note
from app.chaos.simulation import played, quiet
from app.chaos.world import World, fresh_world
from app.outbox import rows
from app.reconciliation import followed, held, news, reconcile
from app.reconciliation.reconcile import Reconciliation
from app.tenants import habits
from app.writebacks import absence, ledger
from app.writebacks.commands import BeginAttempt, RecordReadBack
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage

REFERENCE = (Note(0, 0, 0),)
PLAIN = (Note(2, 0, 0),)  # it knows no conditional create, which would find what was moved
SIGN_AND_WORK = (Act(Doing.SIGN), Act(Doing.WORK))
Mutant = Callable[[World, pytest.MonkeyPatch], None]
Histories = Callable[[World], Iterator[History]]


def without_lease(world: World, patch: pytest.MonkeyPatch) -> None:
    """Whoever comes takes the row, and every result counts."""
    patch.setattr(world.parts.drain, "_lease", timedelta(milliseconds=1))
    patch.setattr(rows, "check_fence", lambda tx, lease, now: None)
    anybodys = update(rows.outbox).where(rows.outbox.c.writeback_id == bindparam("which"))
    patch.setattr(rows, "_RELEASE", anybodys.values(due_at=bindparam("again_at"), leased_until=None))


def without_marker(world: World, patch: pytest.MonkeyPatch) -> None:
    """The beginning of a send is recorded together with its end."""
    carry_out, begun = WritebackCommands.by_worker, set()

    def begin(self, tx, lease, now):  # type: ignore[no-untyped-def]
        begun.add(lease.writeback_id)
        return True

    def by_worker(self, tx, lease, command, now, *, keep_lease=False):  # type: ignore[no-untyped-def]
        if lease.writeback_id in begun:
            begun.remove(lease.writeback_id)
            carry_out(self, tx, lease, BeginAttempt(lease.fence), now, keep_lease=True)
        carry_out(self, tx, lease, command, now, keep_lease=keep_lease)

    patch.setattr(WritebackCommands, "begin", begin)
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

    def unchecked(tx: Connection, mutations: Sequence[ledger.Mutation]) -> None:
        order(tx, [one for one in mutations if one.idempotency_key not in entered])
        entered.update(one.idempotency_key for one in mutations)

    patch.setattr(ledger, "order", unchecked)


def without_second_look(world: World, patch: pytest.MonkeyPatch) -> None:
    """What is known by its id is the only one."""
    patch.setattr(held, "twins", lambda *_: ())


def without_asking_for_the_patient(world: World, patch: pytest.MonkeyPatch) -> None:
    """What an old chart does not show is nowhere."""
    patch.setattr(held, "is_replaced", lambda *_: False)


def without_doubting_absences(world: World, patch: pytest.MonkeyPatch) -> None:
    """What was called absent is absent, whatever the EHR was seen to do since."""
    patch.setattr(absence, "is_void", lambda *_: False)


def without_doubting_endings(world: World, patch: pytest.MonkeyPatch) -> None:
    """What was ended after it was called absent is not in the chart, whatever the EHR was seen to do since."""
    patch.setattr(absence, "may_have_been_void", lambda *_: False)


def without_minding_a_202(world: World, patch: pytest.MonkeyPatch) -> None:
    """An EHR that accepts for later keeps its profile's promise all the same."""
    park_for = reconcile._park_for
    patch.setattr(
        reconcile, "_park_for", lambda state, profile, *, files_later: park_for(state, profile, files_later=False)
    )
    patch.setattr(absence, "is_void", lambda *_: False)


def without_memory(world: World, patch: pytest.MonkeyPatch) -> None:
    """What an EHR was seen to do is not kept."""
    patch.setattr(habits, "note", lambda *_: None)


def without_looking_at_the_original(world: World, patch: pytest.MonkeyPatch) -> None:
    """What a correction replaces counts no more, because the correction says so."""
    patch.setattr(news, "is_current", lambda _: False)


def without_seeking(world: World, patch: pytest.MonkeyPatch) -> None:
    """What a person gave up is not looked for any more."""
    patch.setattr(followed, "seek", lambda *_: None)


SENT_AGAIN = (Act(Doing.WAIT, seconds=150), Act(Doing.SWEEP), Act(Doing.WORK)) * 4


def paused_somewhere(world: World) -> Iterator[History]:
    """A worker stands still while it files; which step meets the other one shifts with the code."""
    signed, filed = played(world, History(REFERENCE, SIGN_AND_WORK, ()), "steps", []).steps
    for at in range(signed, filed, 4):
        yield History(REFERENCE, SIGN_AND_WORK, (Fault("paused", at, 600),))


def in_doubt(note: tuple[Note, ...], *acts: Act) -> Histories:
    """The answer to the first write is lost, and somebody does something before it can be looked for."""
    return lambda _: iter([History(note, (*SIGN_AND_WORK, *acts), (Fault("reply_lost", 0),))])


def plainly(acts: tuple[Act, ...], *faults: Fault) -> Histories:
    """One history of one note."""
    return lambda _: iter([History(REFERENCE, acts, faults)])


TWO = (Note(0, 0, 0), Note(0, 1, 1))
LOOK = (Act(Doing.WAIT, seconds=150), Act(Doing.SWEEP), Act(Doing.WORK))
# Made so that no search finds it, and called absent; then another note shows that this EHR drops identifiers.
UNFOUND = (Fault("unrecognisable_reply_lost", 0), Fault("drop_identifier", 1))
CALLED_ABSENT = (Act(Doing.SIGN), Act(Doing.WORK), *LOOK, *LOOK)
LOSS_SEEN = (Act(Doing.SIGN, note=1), Act(Doing.WORK))
OFF, ON = (Act(Doing.SWITCH_OFF), *LOOK), (Act(Doing.SWITCH_ON),)
CORRECTED = (Act(Doing.CORRECT), Act(Doing.WORK))


def called_absent(*acts: Act) -> Histories:
    """A note is in the chart and was called absent, and somebody does something."""
    return lambda _: iter([History(TWO, (*CALLED_ABSENT, *acts), UNFOUND)])


def loss_seen_first(_: World) -> Iterator[History]:
    """A note is stored without our identifier, and the next one so that no search finds it."""
    acts = (Act(Doing.SIGN), Act(Doing.WORK), Act(Doing.SIGN, note=1), Act(Doing.WORK), *LOOK * 5)
    yield History(TWO, acts, (Fault("drop_identifier", 0), Fault("unrecognisable_reply_lost", 2)))


def killed_over_a_202(world: World) -> Iterator[History]:
    """One 202 was heard; over the next one the worker dies, and the note is filed long after."""
    heard = (Act(Doing.SIGN), Act(Doing.WORK), Act(Doing.SIGN, note=1))
    accepted = (Fault("accepted_then_filed", 0, 2900), Fault("accepted_then_filed", 1, 2900))
    *_, signed, sent = played(world, History(TWO, (*heard, Act(Doing.WORK)), accepted), "steps", []).steps
    for at in range(signed, sent):
        yield History(TWO, (*heard, Act(Doing.WORK), *SENT_AGAIN), (*accepted, Fault("killed", at)))


PLANTED: dict[str, tuple[Mutant, Histories]] = {
    "lease": (without_lease, paused_somewhere),
    "send marker": (without_marker, plainly(SIGN_AND_WORK)),
    "read-back": (without_read_back, plainly(SIGN_AND_WORK, Fault("rewrite_text", 0))),
    "ledger": (without_ledger, plainly((*SIGN_AND_WORK, Act(Doing.ORDER_AGAIN), Act(Doing.WORK)))),
    "second look": (
        without_second_look,
        in_doubt(REFERENCE, Act(Doing.DELETE), *SENT_AGAIN, Act(Doing.BRING_BACK)),
    ),
    "doubt of what was called absent": (without_doubting_absences, called_absent(*LOSS_SEEN)),
    "doubt of what was taken back": (
        without_doubting_endings,
        called_absent(Act(Doing.TAKE_BACK), *LOSS_SEEN, *CORRECTED),
    ),
    "doubt of what was given up": (
        without_doubting_endings,
        called_absent(*LOSS_SEEN, *OFF, Act(Doing.GIVE_UP), *ON, *CORRECTED),
    ),
    "memory of a 202": (without_minding_a_202, killed_over_a_202),
    "memory of a lost identifier": (without_memory, loss_seen_first),
    "memory of the first 202": (without_memory, killed_over_a_202),
    "look at the original": (
        without_looking_at_the_original,
        plainly((*SIGN_AND_WORK, *LOOK, *CORRECTED), Fault("replaces_ignored", 2)),
    ),
    "search for what was given up": (
        without_seeking,
        plainly(
            (*SIGN_AND_WORK, *LOOK * 4, Act(Doing.GIVE_UP), Act(Doing.WAIT, seconds=600)),
            Fault("accepted_then_filed", 0, 900),
        ),
    ),
    "question for the patient": (without_asking_for_the_patient, in_doubt(PLAIN, Act(Doing.MERGE), *SENT_AGAIN)),
}


@pytest.mark.parametrize("safeguard", PLANTED)
def test_the_simulation_fails_without(safeguard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F49, I1, I2, I3, I4: and keeps every promise in the same history while the safeguard is in place."""
    mutant, histories = PLANTED[safeguard]

    with fresh_world() as world:
        tried = histories(world)
        with quiet():
            first = next(tried)
        with monkeypatch.context() as patch:
            mutant(world, patch)
            found = next(
                (one for at, one in enumerate((first, *tried)) if is_broken(world, one, f"planted-{at}")), None
            )
        assert found, f"nothing was found without the {safeguard}"
    with fresh_world() as sound:
        assert not is_broken(sound, found, "sound")


def is_broken(world: World, history: History, name: str) -> bool:
    """Whether the history breaks a promise in this world."""
    with quiet() as alarms:
        return bool(played(world, history, name, alarms).violations)
