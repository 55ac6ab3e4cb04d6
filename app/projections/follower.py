"""Following the log: each projection's rows and its position move in one transaction, so each event counts once.

Every projection follows every tenant's log by itself: an event that this release cannot read stops its own tenant's
read models where they are, until a release that knows it goes on from there, and nobody else's.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update
from structlog import get_logger

from app.db import Database, insert_if_absent
from app.event_log.read import ends, read_after
from app.event_log.recorded import Recorded
from app.log_lines import place_of
from app.projections import audit_trail, write_status
from app.projections.tables import audit_trail as audit_rows
from app.projections.tables import projection_positions
from app.projections.tables import write_status as status_rows

Projector = Callable[[Connection, Sequence[Recorded]], None]
PROJECTIONS: dict[str, Projector] = {"write_status": write_status.project, "audit_trail": audit_trail.project}
BATCH = 500
# Made once: every page and every sweep goes through these.
_MINE = (projection_positions.c.projection == bindparam("name")) & (
    projection_positions.c.tenant_id == bindparam("whose")
)
_POSITION = select(projection_positions.c.sequence).where(_MINE).with_for_update()
_MOVE = update(projection_positions).where(_MINE).values(sequence=bindparam("end"))

log = get_logger()


def catch_up(database: Database, tenant_id: str | None = None) -> int:
    """Bring the read models of one tenant, or of all, as far as they can be; returns how many events were projected.

    What stops one of them is logged, and the others go on: for callers to whom a read model that lags is no obstacle.
    """
    done = 0
    for name, tenant in _behind(database, tenant_id):
        try:
            done += _follow(database, name, tenant)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stay this tenant's
            log.critical(
                "projection_stopped", tenant=tenant, detail=name, error=type(error).__name__, place=place_of(error)
            )
    return done


def follow(database: Database, tenant_id: str) -> int:
    """Bring one tenant's read models up to the log's end, or raise what stops them: for what is shown whole or not."""
    return sum(_follow(database, name, tenant) for name, tenant in _behind(database, tenant_id))


def rebuild(database: Database) -> int:
    """Empty every projection and project the whole log again."""
    with database.write() as tx:
        for table in (projection_positions, status_rows, audit_rows):
            tx.execute(delete(table))
    return catch_up(database)


def _behind(database: Database, tenant_id: str | None) -> list[tuple[str, str]]:
    """Which projections have events of which tenants before them; read only, as mostly there are none."""
    with database.read() as tx:
        followed = {(row.projection, row.tenant_id): row.sequence for row in tx.execute(select(projection_positions))}
        return [
            (name, tenant)
            for tenant, end in ends(tx).items()
            for name in PROJECTIONS
            if tenant_id in (None, tenant) and followed.get((name, tenant), 0) < end
        ]


def _follow(database: Database, name: str, tenant_id: str) -> int:
    done, is_behind = 0, True
    while is_behind:
        with database.write() as tx:
            batch = read_after(tx, tenant_id, _lock_position(tx, name, tenant_id), BATCH)
            if batch:
                PROJECTIONS[name](tx, batch)
                tx.execute(_MOVE, {"name": name, "whose": tenant_id, "end": batch[-1].sequence})
        done += len(batch)
        is_behind = len(batch) == BATCH
    return done


def _lock_position(tx: Connection, name: str, tenant_id: str) -> int:
    mine = {"name": name, "whose": tenant_id}
    while (
        position := tx.execute(_POSITION, mine).scalar_one_or_none()
    ) is None:  # nobody began yet, or a rebuild took it away
        insert_if_absent(tx, projection_positions, {"projection": name, "tenant_id": tenant_id, "sequence": 0})
    return int(position)
