"""The time as one EHR's clock shows it: right, unless the `clock_offset` knob moved it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, g, has_app_context

# The header by which an EHR app tells the server what to write as Date.
DATE_BY_THE_EHR = "X-EHR-Date"


@dataclass(frozen=True)
class Clock:
    """What an EHR asks for the time, and how it lets time pass; a simulation brings its own."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


MACHINE = Clock()


def right_clock() -> Clock:
    """The clock of the EHR that is answering, before any knob; this machine's outside of an EHR."""
    found: Clock = current_app.extensions.get("clock", MACHINE) if has_app_context() else MACHINE
    return found


def now() -> float:
    """Seconds since 1970 by this EHR's clock."""
    offset = g.get("clock_offset", 0) if has_app_context() else 0
    return right_clock().now() + float(offset)
