"""Judging what real processes left behind: our log against the EHR's store and its record of who wrote what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.chaos.result import Result
from app.pages.status import PARKED, PROVENANCE_WAITS
from app.tenants.launches import Launch
from app.writebacks.state import Stage, WritebackState

UNDER_WAY = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED})
IN_CHART = frozenset({Stage.VERIFIED, Stage.DRIFTED, Stage.SUPERSEDED})


@dataclass(frozen=True)
class SettledWrite:
    """One signed write as the log has it, and the launch that signed it."""

    history: int
    writeback_id: str
    launch: Launch
    state: WritebackState


def judge(
    result: Result,
    writes: Sequence[SettledWrite],
    held: Sequence[dict[str, Any]],
    written: Sequence[dict[str, Any]],
) -> None:
    """Note every broken promise in `result`. `held` are the EHR's documents, `written` its record of who wrote."""
    writers = {(row["resource_type"], row["id"]): row for row in written}
    for write in writes:
        state, history, name = write.state, write.history, write.writeback_id
        system, _, value = state.queued.identifier.partition("|")
        mine = [
            one
            for one in held
            if any((has.get("system"), has.get("value")) == (system, value) for has in one.get("identifier", ()))
        ]
        if len(mine) > 1:
            result.broken(history, "I1", name, f"{len(mine)} documents are in the chart", "duplicated")
        if state.stage in IN_CHART and not mine:
            result.broken(history, "I4", name, f"it is said to be {state.stage} and is not there", "lost")
        if state.stage in UNDER_WAY:
            result.broken(history, "I7", name, f"it stayed {state.stage}", "unsettled")
        words = PROVENANCE_WAITS if state.parked_from is Stage.VERIFIED else PARKED
        if state.stage is Stage.PARKED and state.parked_for not in words:
            result.broken(history, "I7", name, f"parked for {state.parked_for}, of which no page speaks", "unsettled")
        for one in mine:
            row = writers.get(("DocumentReference", one["id"]), {})
            by, about = f"Practitioner/{row.get('subject')}", f"Patient/{row.get('patient')}"
            if (by, about) != (state.queued.author, state.queued.patient):
                result.broken(history, "I6", name, "it was written under another person's grant", "wrong_token")
