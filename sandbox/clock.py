"""The time as one EHR's clock shows it: right, unless the `clock_offset` knob moved it."""

import time

from flask import g, has_app_context

# The header by which an EHR app tells the server what to write as Date.
DATE_BY_THE_EHR = "X-EHR-Date"


def now() -> float:
    """Seconds since 1970 by this EHR's clock."""
    offset = g.get("clock_offset", 0) if has_app_context() else 0
    return time.time() + float(offset)
