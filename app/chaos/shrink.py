"""The shortest history that still fails: acts, faults and notes are left out one by one for as long as it does."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from app.chaos.history import Doing, History

MOST_TRIES = 120


def shortest(history: History, fails: Callable[[History], bool], most_tries: int = MOST_TRIES) -> History:
    """Leave out whatever can be left out of a failing history; tries at most so many times."""
    tries = 0
    improved = True
    while improved:
        improved = False
        for smaller in _smaller(history):
            tries += 1
            if tries > most_tries:
                return history
            if fails(smaller):
                history, improved = smaller, True
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    """Every history with one thing less, the faults first: they matter least often."""
    for at in range(len(history.faults)):
        yield replace(history, faults=history.faults[:at] + history.faults[at + 1 :])
    for at in range(len(history.acts)):
        yield replace(history, acts=history.acts[:at] + history.acts[at + 1 :])
    if len(history.notes) > 1:
        last = len(history.notes) - 1
        acts = tuple(act for act in history.acts if act.note != last or act.doing not in ABOUT_A_NOTE)
        yield replace(
            history, notes=history.notes[:-1], acts=tuple(replace(act, note=min(act.note, last - 1)) for act in acts)
        )


ABOUT_A_NOTE = frozenset({Doing.SIGN, Doing.SIGN_AGAIN})
