"""What pages and sweeps ask again and again is found by an index: a hospital's table of writes holds all years."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event

from app.projections import write_status
from tests.service import Service

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "the writes of a note": lambda tx: write_status.of_note(tx, "tenant", "note"),
    "what waits for a launch": lambda tx: write_status.waiting_for_sign_in(
        tx, "tenant", "issuer", "subject", "patient"
    ),
    "what goes on under a newer launch": lambda tx: write_status.newer_launches(tx, NOON),
    "what waits for a switch": write_status.waiting_for_switch,
    "what waits for a person": lambda tx: write_status.stopped(tx, 50),
}


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_about_writes_reads_all_of_them(service: Service, question: str) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(
        service.parts.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, parameters, *_: asked.append((statement, parameters)),
    )
    with service.parts.database.read() as tx:
        QUESTIONS[question](tx)
        [(statement, parameters)] = [one for one in asked if one[0].startswith("SELECT")]
        plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()

    assert plan
    assert [row.detail for row in plan if row.detail.startswith("SCAN")] == []
