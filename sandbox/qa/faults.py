"""Faults that QA has switched on: which knob, on which interaction, how many times more."""

import threading
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One armed fault, as `POST /qa/<ehr>/faults` takes it.

    `resource_type` None means any; `times` None means until it is cleared; `options` are the knob's own.
    """

    model_config = ConfigDict(extra="forbid")

    interaction: str
    resource_type: str | None = None
    fault: str
    seconds: float = Field(default=30, ge=0, le=600)
    times: int | None = Field(default=1, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)

    def applies_to(self, interaction: str, resource_type: str | None) -> bool:
        """Whether this request is one of those it was armed for."""
        return self.interaction == interaction and self.resource_type in (None, resource_type)


class Faults:
    """The armed faults of one EHR, first armed first used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        """Switch a fault on."""
        with self._lock:
            self._armed.append(fault)

    def clear(self, name: str | None = None) -> None:
        """Switch every fault off, or those of one knob."""
        with self._lock:
            self._armed = [fault for fault in self._armed if name not in (None, fault.fault)]

    def armed(self) -> list[Fault]:
        """What is switched on now."""
        with self._lock:
            return [fault.model_copy() for fault in self._armed]

    def take(self, interaction: str, resource_type: str | None) -> Fault | None:
        """The fault for this request, counted down."""
        with self._lock:
            for fault in self._armed:
                if fault.applies_to(interaction, resource_type):
                    self._count_down(fault)
                    return fault
        return None

    def _count_down(self, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self._armed.remove(fault)
