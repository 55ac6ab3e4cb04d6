"""How Alembic reaches the app's database: through the engine that Flask-SQLAlchemy already made."""

from alembic import context
from flask import current_app
from sqlalchemy import event

from app.db import UTCDateTime, metadata


def render_plainly(kind: str, value: object, _context: object) -> str | bool:
    """A migration must still run when the app's own types have moved on."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(value, UTCDateTime) else False


engine = current_app.extensions["migrate"].db.engine
with engine.connect() as connection:
    if engine.dialect.name == "sqlite":  # our connections begin no transaction by themselves
        event.listen(connection, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))
    # SQLite cannot alter most things in place; batch mode rebuilds the table instead.
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=engine.dialect.name == "sqlite",
        render_item=render_plainly,
    )
    with context.begin_transaction():
        context.run_migrations()
