"""One write that cannot be worked on must not stop the others, nor tell Redis or the logs what went wrong inside."""

from sqlalchemy import select

from app.event_log.append import append
from app.notes.events import ClaimConfirmed
from app.outbox.tables import outbox as outbox_rows
from app.writebacks.handlers import stream_of
from app.writebacks.state import Stage
from tests.service import Service


def test_a_write_whose_history_contradicts_itself_waits_and_the_others_go_on(service: Service) -> None:
    broken, sound = service.signed(), service.signed(patient="Ortega, María Guadalupe")
    writeback_id = broken.note().state.signed.writeback_id
    with service.parts.database.write() as tx:
        stranger = ClaimConfirmed(claim_id="c")
        tenant, stream = broken.launch().tenant_id, stream_of(writeback_id)
        append(tx, tenant, stream, 1, [stranger], actor="a#b", causation="test", now=service.clock())

    service.work()

    assert sound.writeback().stage is Stage.VERIFIED
    with service.parts.database.read() as tx:
        due = tx.execute(select(outbox_rows.c.due_at).where(outbox_rows.c.writeback_id == writeback_id)).scalar_one()
    assert (due - service.clock()).total_seconds() > 3000
