"""Where faults meet requests: every endpoint answers through `with_faults`."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from flask import Response, g, request

from sandbox.authorization.lineage import family_of_request
from sandbox.clock import right_clock
from sandbox.ehr import current_ehr
from sandbox.qa.faults import Fault
from sandbox.qa.interactions import names_of
from sandbox.qa.knobs import KNOBS, is_setting


def with_faults(interaction: str, resource_type: str | None, proceed: Callable[[], Response]) -> Response:
    """Answer a request, through the faults that are on for it, and put it in the request log."""
    faults = _faults_of(interaction, resource_type)
    answer = proceed
    for fault in reversed(faults):
        answer = partial(KNOBS[fault.fault].answer, answer, fault)
    started = time.monotonic()
    try:
        response = answer()
    except BaseException:
        _log(interaction, resource_type, None, faults, started)
        raise
    _log(interaction, resource_type, response.status_code, faults, started)
    return response


def set_the_clock() -> None:
    """Before any request: the EHR's own pages, which issue launches, go by its wrong clock too.

    What was accepted earlier and is due by now is filed first.
    """
    ehr = current_ehr()
    ehr.later.file_what_is_due(ehr.clock.now(), a_request=True)
    for fault in ehr.faults.armed():
        if fault.fault == "clock_offset" and fault.interaction == "any":
            g.clock_offset = fault.seconds


def _faults_of(interaction: str, resource_type: str | None) -> list[Fault]:
    ehr = current_ehr()
    family = family_of_request(ehr) if ehr.faults.any_launch_has_its_own() else None
    return ehr.faults.take(names_of(interaction), resource_type, family, is_setting)


def _log(
    interaction: str, resource_type: str | None, status: int | None, faults: Sequence[Fault], started: float
) -> None:
    current_ehr().requests.add(
        {
            "time": datetime.fromtimestamp(right_clock().now(), UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "interaction": interaction,
            "resource_type": resource_type,
            "id": (request.view_args or {}).get("resource_id"),
            "status": status,
            "token_sha256": g.get("token_sha256"),
            "fault": "+".join(fault.fault for fault in faults) or None,
            "milliseconds": round((time.monotonic() - started) * 1000),
        }
    )
