"""Faults that QA has switched on: which knob, on which interaction, when, how many times more, for whom."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.qa.interactions import NAMES

LONGEST_SECONDS = 86400
# One of the knobs in the options, drawn anew each time.
RANDOM = "random"


class Fault(BaseModel):
    """One armed fault, as `POST /qa/<ehr>/faults` takes it.

    `interaction` left out means where the knob belongs; `resource_type` None means any; `times` None means until
    it is cleared; `options` are the knob's own.

    When it strikes: at `from_request`, counted among the requests that it fits since it was armed (3: at the third
    write), and from then on. With a `probability`, at each of them by chance: a draw from `seed` and the number of the
    request, so that the same requests meet the same faults. `fault` "random" draws one of `options["knobs"]` as well.
    """

    model_config = ConfigDict(extra="forbid")

    interaction: str = ""
    resource_type: str | None = None
    fault: str
    seconds: float = Field(default=30, ge=-LONGEST_SECONDS, le=LONGEST_SECONDS)
    times: int | None = Field(default=1, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)
    from_request: int = Field(default=1, ge=1)
    probability: float | None = Field(default=None, ge=0, le=1)
    seed: int = 0
    met: int = Field(default=0, ge=0, description="How many requests that it fits have come since it was armed.")

    @model_validator(mode="after")
    def _interaction_is_known(self) -> Self:
        if self.interaction and self.interaction not in NAMES:
            raise ValueError(f"no such interaction: {self.interaction}; there are {', '.join(sorted(NAMES))}")
        return self

    @model_validator(mode="after")
    def _options_are_the_knobs_own(self) -> Self:
        """What stands in the wrong place would be ignored, and the fault be another than was meant."""
        if misplaced := sorted(set(self.options) & set(type(self).model_fields)):
            raise ValueError(f"{', '.join(misplaced)}: beside options, not in them")
        return self

    def applies_to(self, names: frozenset[str], resource_type: str | None) -> bool:
        """Whether this request, by any of its names, is one of those it was armed for."""
        return self.interaction in names and self.resource_type in (None, resource_type)

    def strikes(self) -> bool:
        """Whether it strikes at the request that it met last."""
        if self.met < self.from_request:
            return False
        return self.probability is None or self._draw("strike").random() < self.probability

    def drawn(self) -> "Fault":
        """What really happens: of a random fault, one of its knobs."""
        if self.fault != RANDOM:
            return self
        return self.model_copy(update={"fault": self._draw("knob").choice(self.options["knobs"])})

    def _draw(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}:{self.met}:{purpose}")  # noqa: S311 -- to be repeated, not to be secret


class Faults:
    """The armed faults of one EHR, and those of single launches.

    Of the EHR's faults a request meets the first that spoils an answer, so that arming two makes a sequence; faults
    that are settings all apply. A launch's own faults all apply, each on its interaction.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        self._of_launches: dict[str, list[Fault]] = {}
        self._struck: Counter[str] = Counter()

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

    def struck(self) -> dict[str, int]:
        """How often each knob has struck since the EHR was started."""
        with self._lock:
            return dict(self._struck)

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
        if not self._armed and not self._of_launches:
            return []
        with self._lock:
            own = self._of_launches.get(family or "", [])
            taken = _striking(own, names, resource_type)
            everyones = _striking(self._armed, names, resource_type)
            taken += [fault for fault in everyones if is_setting(fault)]
            taken += [fault for fault in everyones if not is_setting(fault)][:1]
            for fault in taken:
                _count_down(fault, own if any(fault is one for one in own) else self._armed)
            # A setting comes first: it must be in force before anything answers.
            happening = [fault.drawn() for fault in sorted(taken, key=lambda fault: not is_setting(fault))]
            self._struck.update(fault.fault for fault in happening)
            return happening


def _striking(among: list[Fault], names: frozenset[str], resource_type: str | None) -> list[Fault]:
    fitting = [fault for fault in among if fault.applies_to(names, resource_type)]
    for fault in fitting:
        fault.met += 1
    return [fault for fault in fitting if fault.strikes()]


def _count_down(fault: Fault, among: list[Fault]) -> None:
    if fault.times is None:
        return
    fault.times -= 1
    if fault.times == 0:
        # By identity: two faults with the same words are two.
        among[:] = [other for other in among if other is not fault]
