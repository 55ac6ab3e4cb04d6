"""Faults that QA has switched on: which knob, on which interaction, how many times more, for whom."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.qa.interactions import NAMES

LONGEST_SECONDS = 86400


class Fault(BaseModel):
    """One armed fault, as `POST /qa/<ehr>/faults` takes it.

    `interaction` left out means where the knob belongs; `resource_type` None means any; `times` None means until
    it is cleared; `options` are the knob's own.
    """

    model_config = ConfigDict(extra="forbid")

    interaction: str = ""
    resource_type: str | None = None
    fault: str
    seconds: float = Field(default=30, ge=-LONGEST_SECONDS, le=LONGEST_SECONDS)
    times: int | None = Field(default=1, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _interaction_is_known(self) -> Self:
        if self.interaction and self.interaction not in NAMES:
            raise ValueError(f"no such interaction: {self.interaction}; there are {', '.join(sorted(NAMES))}")
        return self

    def applies_to(self, names: frozenset[str], resource_type: str | None) -> bool:
        """Whether this request, by any of its names, is one of those it was armed for."""
        return self.interaction in names and self.resource_type in (None, resource_type)


class Faults:
    """The armed faults of one EHR, and those of single launches.

    Of the EHR's faults a request meets the first that spoils an answer, so that arming two makes a sequence; faults
    that are settings all apply. A launch's own faults all apply, each on its interaction.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        self._of_launches: dict[str, list[Fault]] = {}

    def arm(self, fault: Fault) -> None:
        """Switch a fault on for every launch."""
        with self._lock:
            self._armed.append(fault)

    def arm_for(self, family: str, faults: Iterable[Fault]) -> None:
        """Give one launch faults of its own; they end with it."""
        chosen = [fault.model_copy() for fault in faults]
        if chosen:
            with self._lock:
                self._of_launches[family] = chosen

    def clear(self, name: str | None = None) -> None:
        """Switch every fault off, or those of one knob. What a launch was given stays with it."""
        with self._lock:
            self._armed = [fault for fault in self._armed if name not in (None, fault.fault)]

    def armed(self) -> list[Fault]:
        """What is switched on now for every launch."""
        with self._lock:
            return [fault.model_copy() for fault in self._armed]

    def any_launch_has_its_own(self) -> bool:
        """Whether it is worth asking which launch a request belongs to."""
        return bool(self._of_launches)

    def take(
        self,
        names: frozenset[str],
        resource_type: str | None,
        family: str | None,
        is_setting: Callable[[Fault], bool],
    ) -> list[Fault]:
        """The faults for this request, counted down, outermost first."""
        with self._lock:
            own = self._of_launches.get(family or "", [])
            taken = [fault for fault in own if fault.applies_to(names, resource_type)]
            everyones = [fault for fault in self._armed if fault.applies_to(names, resource_type)]
            taken += [fault for fault in everyones if is_setting(fault)]
            taken += [fault for fault in everyones if not is_setting(fault)][:1]
            for fault in taken:
                _count_down(fault, own if any(fault is one for one in own) else self._armed)
            # A setting comes first: it must be in force before anything answers.
            return sorted(taken, key=lambda fault: not is_setting(fault))


def _count_down(fault: Fault, among: list[Fault]) -> None:
    if fault.times is None:
        return
    fault.times -= 1
    if fault.times == 0:
        # By identity: two faults with the same words are two.
        among[:] = [other for other in among if other is not fault]
