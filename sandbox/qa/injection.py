"""Where faults meet requests: every endpoint answers through `with_faults`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Response, g, request

from sandbox.ehr import current_ehr
from sandbox.qa.faults import Fault
from sandbox.qa.knobs import KNOBS


def with_faults(interaction: str, resource_type: str | None, proceed: Callable[[], Response]) -> Response:
    """Answer a request, through the fault armed for it if there is one, and put it in the request log."""
    ehr = current_ehr()
    fault = ehr.faults.take(interaction, resource_type)
    started = time.monotonic()
    try:
        response = KNOBS[fault.fault].answer(proceed, fault) if fault else proceed()
    except BaseException:
        _log(interaction, resource_type, None, fault, started)
        raise
    _log(interaction, resource_type, response.status_code, fault, started)
    return response


def _log(interaction: str, resource_type: str | None, status: int | None, fault: Fault | None, started: float) -> None:
    current_ehr().requests.add(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "interaction": interaction,
            "resource_type": resource_type,
            "id": (request.view_args or {}).get("resource_id"),
            "status": status,
            "token_sha256": g.get("token_sha256"),
            "fault": fault.fault if fault else None,
            "milliseconds": round((time.monotonic() - started) * 1000),
        }
    )
