"""A history: who signs what, what else happens meanwhile, and what goes wrong when. Pure data from one seed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from app.chaos.faults import KINDS, Fault, Moment

TENANTS, CLINICIANS = 3, 3
MOST_NOTES, MOST_FAULTS, MOST_EVENTS = 3, 7, 6
# How many moments of each kind the faults of a history are spread over: about as many as a history with one note has,
# and twice that, so that what follows the first trouble is struck as well.
SPREAD = {
    Moment.WRITE: 4,
    Moment.ASK: 12,
    Moment.TOKEN: 3,
    Moment.BEGIN: 60,
    Moment.COMMIT: 40,
    Moment.STEP: 150,
    Moment.RING: 4,
    Moment.TELL: 2,
}
# The kinds of entry that can be signed beside a note here; the last one changes the visit itself, by a patch.
ENTRIES = ("vital_sign", "problem", "follow_up", "visit_reason")


class Doing(StrEnum):
    """What somebody does."""

    SIGN = "sign"  # open the chart, draft, sign
    SIGN_AGAIN = "sign_again"  # a double click, a second window
    ORDER_AGAIN = "order_again"  # its order comes a second time, as from a replayed transaction
    CORRECT = "correct"  # the signer corrects the signed note and signs again
    ADD = "add"  # the signer adds to it
    RETRACT = "retract"  # the signer declares it entered in error
    TAKE_BACK = "take_back"  # the signer stops it before it leaves
    GIVE_UP = "give_up"  # the signer gives up what stopped
    LOOK_AGAIN = "look_again"  # the signer has the EHR asked once more about what stopped
    WORK = "work"  # a worker hears the bells
    SWEEP = "sweep"
    RELAUNCH = "relaunch"  # the signer opens the same chart again
    OTHERS_LAUNCH = "others_launch"  # another clinician opens it
    SIGN_OUT = "sign_out"
    TOKENS_END = "tokens_end"  # the access token ends
    GRANT_ENDS = "grant_ends"  # the EHR ends the grant, refresh token included
    EDIT = "edit"  # a person edits in the EHR what was filed for a note, the note and its entries
    INVALIDATE = "invalidate"  # a person marks it entered in error
    DELETE = "delete"
    BRING_BACK = "bring_back"  # a person undoes the deletion
    MERGE = "merge"  # the patient is merged into another one
    BACK_UP = "back_up"  # the EHR's store is copied
    GO_BACK = "go_back"  # the EHR is restored from the copy, else from before the history
    TELL = "tell"  # the EHR posts its notices of what changed
    SWITCH_OFF = "switch_off"
    SWITCH_ON = "switch_on"
    REDIS_FLUSHED = "redis_flushed"
    CLOCK_JUMPS = "clock_jumps"  # the clock of our host is set, forwards or backwards
    WAIT = "wait"


@dataclass(frozen=True)
class Note:
    """One note to come: at which tenant, by which clinician, about which patient of theirs, with which entries."""

    tenant: int
    clinician: int
    patient: int
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Act:
    """One thing that somebody does, `after` seconds from the one before, mostly about one note."""

    doing: Doing
    after: float = 0
    note: int = 0
    seconds: float = 0

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.0f} s" if self.seconds else ""
        return f"+{self.after:.0f} s: {self.doing} (note {self.note}){lasts}"


@dataclass(frozen=True)
class History:
    """Everything that a simulation plays; two equal ones end alike."""

    notes: tuple[Note, ...]
    acts: tuple[Act, ...]
    faults: tuple[Fault, ...]

    def lines(self) -> list[str]:
        """The history for people, one line for each thing that happens."""
        notes = [
            f"note {number}: tenant {note.tenant}, clinician {note.clinician}, patient {note.patient}"
            + "".join(f", {entry}" for entry in note.entries)
            for number, note in enumerate(self.notes)
        ]
        return [*notes, *map(str, self.acts), *map(str, self.faults)]


# What happens beside signing, working and sweeping; the number is how often, compared with the others.
EVENTS: dict[Doing, int] = {
    Doing.SIGN_AGAIN: 3,
    Doing.ORDER_AGAIN: 1,
    Doing.CORRECT: 3,
    Doing.ADD: 2,
    Doing.RETRACT: 2,
    Doing.TAKE_BACK: 2,
    Doing.GIVE_UP: 2,
    Doing.LOOK_AGAIN: 2,
    Doing.RELAUNCH: 3,
    Doing.OTHERS_LAUNCH: 2,
    Doing.SIGN_OUT: 1,
    Doing.TOKENS_END: 3,
    Doing.GRANT_ENDS: 2,
    Doing.EDIT: 2,
    Doing.INVALIDATE: 1,
    Doing.DELETE: 1,
    Doing.BRING_BACK: 1,
    Doing.MERGE: 1,
    Doing.BACK_UP: 1,
    Doing.GO_BACK: 1,
    Doing.TELL: 2,
    Doing.SWITCH_OFF: 1,
    Doing.SWITCH_ON: 1,
    Doing.REDIS_FLUSHED: 2,
    Doing.CLOCK_JUMPS: 1,
    Doing.WAIT: 3,
}
PAUSES: dict[Doing, Callable[[Random], float]] = {
    Doing.WAIT: lambda dice: dice.choice((5, 60, 600, 4000)),
    Doing.CLOCK_JUMPS: lambda dice: dice.choice((-90, -20, 20, 90)),
}


def draw(seed: int | str, number: int) -> History:
    """The history of this number: the same for the same seed, whatever was drawn before."""
    dice = Random(f"{seed}:{number}")  # noqa: S311 - a simulation must be repeatable, not unguessable
    notes = tuple(_note(dice) for _ in range(dice.randint(1, MOST_NOTES)))
    acts = [Act(Doing.SIGN, dice.choice((0, 1, 30)), number) for number in range(len(notes))]
    for _ in range(dice.randint(1, MOST_EVENTS)):
        _put(dice, acts, _event(dice, len(notes)))
    for doing in (Doing.WORK, Doing.WORK, Doing.SWEEP)[: dice.randint(1, 3)]:
        _put(dice, acts, Act(doing, dice.choice((0, 2, 10))))
    faults = tuple(_fault(dice, len(notes)) for _ in range(dice.randint(0, MOST_FAULTS)))
    return History(notes, tuple(acts), faults)


def _note(dice: Random) -> Note:
    entries = dice.sample(ENTRIES, dice.choice((0, 0, 0, 1, 2)))
    return Note(dice.randrange(TENANTS), dice.randrange(CLINICIANS), dice.randrange(2), tuple(entries))


def _event(dice: Random, notes: int) -> Act:
    doing = dice.choices(list(EVENTS), list(EVENTS.values()))[0]
    seconds = PAUSES[doing](dice) if doing in PAUSES else 0
    return Act(doing, dice.choice((0, 1, 15, 150)), dice.randrange(notes), seconds)


def _put(dice: Random, acts: list[Act], act: Act) -> None:
    """Anywhere but before the first signature: until then there is nothing to disturb."""
    acts.insert(dice.randint(1, len(acts)), act)


def _fault(dice: Random, notes: int) -> Fault:
    kind = dice.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
    about = KINDS[kind]
    return Fault(kind, dice.randrange(SPREAD[about.moment] * notes), float(round(dice.uniform(*about.seconds))))
