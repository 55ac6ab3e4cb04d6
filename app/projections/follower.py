"""Following the log: each projection's rows and its position move in one transaction, so each event counts once."""

from collections.abc import Callable

from sqlalchemy import Connection, delete, select, update

from app.db import Database, insert_if_absent
from app.event_log.read import read_after, tenants
from app.event_log.recorded import Recorded
from app.projections import audit_trail, write_status
from app.projections.tables import audit_trail as audit_rows
from app.projections.tables import projection_positions
from app.projections.tables import write_status as status_rows

Projector = Callable[[Connection, Recorded], None]
PROJECTIONS: dict[str, Projector] = {"write_status": write_status.project, "audit_trail": audit_trail.project}
BATCH = 500


def catch_up(database: Database) -> int:
    """Bring every projection up to the log's end; returns how many events were projected."""
    with database.read() as tx:
        known = list(tenants(tx))
    return sum(_follow(database, name, tenant_id) for name in PROJECTIONS for tenant_id in known)


def rebuild(database: Database) -> int:
    """Empty every projection and project the whole log again."""
    with database.write() as tx:
        for table in (projection_positions, status_rows, audit_rows):
            tx.execute(delete(table))
    return catch_up(database)


def _follow(database: Database, name: str, tenant_id: str) -> int:
    done = 0
    while True:
        with database.write() as tx:
            position = _lock_position(tx, name, tenant_id)
            batch = read_after(tx, tenant_id, position, BATCH)
            for recorded in batch:
                PROJECTIONS[name](tx, recorded)
            if not batch:
                return done
            mine = (projection_positions.c.projection == name) & (projection_positions.c.tenant_id == tenant_id)
            tx.execute(update(projection_positions).where(mine).values(sequence=batch[-1].sequence))
            done += len(batch)


def _lock_position(tx: Connection, name: str, tenant_id: str) -> int:
    mine = (projection_positions.c.projection == name) & (projection_positions.c.tenant_id == tenant_id)
    query = select(projection_positions.c.sequence).where(mine).with_for_update()
    while (position := tx.execute(query).scalar_one_or_none()) is None:  # nobody began yet, or a rebuild took it away
        insert_if_absent(tx, projection_positions, {"projection": name, "tenant_id": tenant_id, "sequence": 0})
    return int(position)
