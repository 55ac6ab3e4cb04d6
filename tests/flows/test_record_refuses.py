"""When the record itself cannot be written, nothing happens that it would not know of."""

from contextlib import suppress

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from app.event_log.tables import events
from app.outbox.tables import outbox
from app.writebacks.state import Stage
from app.writebacks.tables import ledger
from tests.service import Service

pytestmark = pytest.mark.either_database

BODY = "BEGIN IF NEW.tag = '{tag}' THEN RAISE EXCEPTION 'disk full'; END IF; RETURN NEW; END"
ON_POSTGRESQL = (
    f"CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ {BODY} $$",
    "CREATE TRIGGER disk_is_full BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION disk_is_full()",
)
WHEN, REFUSE = "BEFORE INSERT ON events WHEN NEW.tag = '{tag}'", "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
ON_SQLITE = (f"CREATE TRIGGER disk_is_full {WHEN} {REFUSE}",)


def refuse(service: Service, tag: str) -> None:
    """From here on the database takes no event of this kind."""
    with service.parts.database.write() as tx:
        for statement in ON_POSTGRESQL if tx.dialect.name == "postgresql" else ON_SQLITE:
            tx.execute(text(statement.format(tag=tag)))


def accept(service: Service) -> None:
    with service.parts.database.write() as tx:
        on = " ON events" if tx.dialect.name == "postgresql" else ""
        tx.execute(text(f"DROP TRIGGER disk_is_full{on}"))


def rows(service: Service) -> tuple[int, int, int]:
    """Signatures, ledger entries and outbox rows."""
    signed = select(func.count()).select_from(events).where(events.c.tag == "note:signed")
    with service.parts.database.read() as tx:
        others = (tx.execute(select(func.count()).select_from(table)).scalar_one() for table in (ledger, outbox))
        return (tx.execute(signed).scalar_one(), *others)  # type: ignore[return-value]


def test_a_signature_that_cannot_be_recorded_is_refused_whole_and_can_be_given_again(service: Service) -> None:
    """F01, F48: signature, order, ledger and outbox stand in one transaction; one that fails takes all with it."""
    chart = service.drafted()
    chart.settle()
    form = chart.sign_form()
    refuse(service, "writeback:queued")

    answer = chart.post("/sign", **form)

    assert answer.status_code >= 400
    assert rows(service) == (0, 0, 0)
    assert chart.note().state.stage == "in_review"
    accept(service)
    assert chart.post("/sign", **form).status_code == 303
    assert rows(service) == (1, 1, 1)


def test_an_attempt_that_cannot_be_recorded_does_not_leave(service: Service) -> None:
    """F37, I2: without a committed beginning no byte goes to the EHR."""
    chart = service.signed()
    writes = len(service.ehr.qa("epic", "writes"))
    refuse(service, "writeback:attempt:begun")

    with suppress(DatabaseError):  # whether the drain lets it through is its own affair
        service.work()

    assert len(service.ehr.qa("epic", "writes")) == writes
    accept(service)
    service.clock.advance(minutes=10)
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
