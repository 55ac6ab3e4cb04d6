"""The peer of the sign transaction: the same rows through Flask-SQLAlchemy models, as most applications would do it.

Objects are added and flushed, unique keys are looked up before they are used, one session for each request. It is not
a straw man: it keeps the same log with the same chain, the same sealed contents, and it is as durable.
"""

from datetime import UTC, datetime

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Integer, LargeBinary, String, UniqueConstraint, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.bench.signatures import ACTOR, TENANT, Signature, order_of, signed_event
from app.event_log.canonical import canonical_json, digest
from app.event_log.event import ArtifactRef, Event
from app.event_log.recorded import GENESIS, chain_hash
from app.ids import new_artifact_id
from app.sealing import Keyring


class Base(DeclarativeBase):
    """Of the peer's own tables."""


orm = SQLAlchemy(model_class=Base)


class LoggedEvent(orm.Model):  # type: ignore[name-defined,misc]
    """One event."""

    __tablename__ = "orm_events"
    __table_args__ = (UniqueConstraint("tenant_id", "sequence"), UniqueConstraint("tenant_id", "stream", "version"))
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(BigInteger)
    stream: Mapped[str] = mapped_column(String(96))
    version: Mapped[int] = mapped_column(Integer)
    tag: Mapped[str] = mapped_column(String(64))
    schema_version: Mapped[int] = mapped_column(Integer)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    actor: Mapped[str] = mapped_column(String(255))
    causation: Mapped[str] = mapped_column(String(96))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Content(orm.Model):  # type: ignore[name-defined,misc]
    """One sealed content."""

    __tablename__ = "orm_contents"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Idempotency(orm.Model):  # type: ignore[name-defined,misc]
    """One mutation."""

    __tablename__ = "orm_idempotency"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    writeback_id: Mapped[str] = mapped_column(String(32))
    payload_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Waiting(orm.Model):  # type: ignore[name-defined,misc]
    """One row of the outbox."""

    __tablename__ = "orm_outbox"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    writeback_id: Mapped[str] = mapped_column(String(32), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(64), index=True)
    workflow: Mapped[str] = mapped_column(String(32))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class NaiveSigning:
    """The peer application on its own tables in the same database."""

    def __init__(self, address: str, keyring: Keyring) -> None:
        self._app = Flask("naive")
        self._app.config["SQLALCHEMY_DATABASE_URI"] = address
        orm.init_app(self._app)
        self._keyring = keyring
        with self._app.app_context():
            if orm.engine.dialect.name == "sqlite":
                event.listen(orm.engine, "connect", _durable)
            orm.create_all()

    def sign(self, one: Signature) -> None:
        """One request: the note signed, its write ordered, committed."""
        with self._app.app_context():
            if Idempotency.query.filter_by(key=one.key).first() is not None:
                return
            snapshot = self._keep("snapshot", one.snapshot)
            self._log(f"note:{one.note_id}", signed_event(one, snapshot), "launch:bench")
            payload, provenance = self._keep("payload", one.payload), self._keep("provenance", one.provenance)
            self._log(f"writeback:{one.writeback_id}", order_of(one, payload, provenance), f"note:{one.note_id}@1")
            now = datetime.now(UTC)
            orm.session.add(
                Idempotency(
                    key=one.key, writeback_id=one.writeback_id, payload_digest=digest(one.payload), created_at=now
                )
            )
            orm.session.add(
                Waiting(writeback_id=one.writeback_id, tenant_id=TENANT, workflow="primary-care", due_at=now)
            )
            orm.session.commit()

    def count(self) -> int:
        """How many notes were signed."""
        with self._app.app_context():
            return int(Waiting.query.count())

    def close(self) -> None:
        """Let go of the database."""
        with self._app.app_context():
            orm.engine.dispose()

    def _keep(self, kind: str, content: bytes) -> ArtifactRef:
        name = new_artifact_id()
        sealed = self._keyring.seal(content, f"artifact/{TENANT}/{name}")
        kept = Content(
            id=name,
            tenant_id=TENANT,
            kind=kind,
            ciphertext=sealed.ciphertext,
            wrapped_key=sealed.wrapped_key,
            key_id=sealed.key_id,
            digest=digest(sealed.ciphertext),
            created_at=datetime.now(UTC),
        )
        orm.session.add(kept)
        return ArtifactRef(artifact_id=name, digest=kept.digest)

    def _log(self, stream: str, event: Event, causation: str) -> None:
        last = LoggedEvent.query.filter_by(tenant_id=TENANT).order_by(LoggedEvent.sequence.desc()).first()
        version = LoggedEvent.query.filter_by(tenant_id=TENANT, stream=stream).count()
        row: dict[str, object] = {
            "tenant_id": TENANT,
            "sequence": last.sequence + 1 if last else 1,
            "stream": stream,
            "version": version + 1,
            "tag": event.tag,
            "schema_version": event.schema_version,
            "actor": ACTOR,
            "causation": causation,
            "recorded_at": datetime.now(UTC),
        }
        payload, previous = canonical_json(event.fields()), last.hash if last else GENESIS
        hashed = chain_hash(previous, row, payload)
        orm.session.add(LoggedEvent(**row, payload=payload, previous_hash=previous, hash=hashed))
        orm.session.flush()


def _durable(connection: object, _record: object) -> None:
    """The same promises as ours: what is committed survives a power cut."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}").close()  # type: ignore[attr-defined]
