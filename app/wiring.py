"""The composition root: the only place that knows every room, the launch routes and the concrete vendors."""

from datetime import timedelta
from functools import partial

from flask import Flask
from flask_migrate import Migrate
from redis import Redis

import app.administrators.tables  # noqa: F401 - so that its tables are known
from app.artifacts.store import ArtifactStore
from app.clock import Clock, system_clock
from app.collaborators import EXTENSION, Collaborators
from app.db import Database, db
from app.drafting.extractive import ExtractiveDrafter
from app.notes.handlers import NoteCommands
from app.notes.prepare import Preparation
from app.notes.sign import Signing
from app.outbox.relay import Relay
from app.pages.charts import charts
from app.pages.claims import claims
from app.pages.error_pages import render_errors
from app.pages.filing import filing
from app.pages.frame import frame_every_response
from app.pages.health import health
from app.pages.launched import open_chart
from app.pages.record import record
from app.pages.signature import signature
from app.publication.drain import Drain
from app.publication.provenance import ProvenancePublication
from app.publication.publish import Publication
from app.reconciliation.reconcile import Reconciliation
from app.sealing import load_keyring
from app.settings import ROOT, Settings
from app.tenants.client_keys import ClientKeys
from app.tenants.ehr import EHRs
from app.tenants.grants import Grants
from app.tenants.launch_ports import LaunchRegistrations, LaunchTransactions
from app.tenants.registrations import load_tenants
from app.tenants.sessions import TenantSessions
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage
from launch.routes import key_set_blueprint, launch_blueprint
from vendors.registry import load_adapters

LARGEST_REQUEST = 256 * 1024


def create_app(settings: Settings | None = None, clock: Clock = system_clock) -> Flask:
    """The web application, also the context of worker and commands. Raises `Misconfigured` naming what is wrong."""
    settings = settings or Settings()
    app = Flask("countersign", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(SQLALCHEMY_DATABASE_URI=settings.database, MAX_CONTENT_LENGTH=LARGEST_REQUEST)
    settings.home.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        database = Database(db.engine)
    parts, registrations, transactions = _collaborators(settings, database, clock)
    app.extensions[EXTENSION] = parts
    tenants, sessions = parts.tenants, parts.ehrs.session
    app.register_blueprint(
        launch_blueprint(
            registrations,
            transactions,
            lambda registration: sessions(tenants.require(registration.tenant_id)),
            partial(open_chart, parts),
            clock,
        )
    )
    app.register_blueprint(key_set_blueprint(registrations.signers))
    for blueprint in (charts, claims, signature, filing, record, health):
        app.register_blueprint(blueprint)
    render_errors(app)
    frame_every_response(app, parts.tenants, settings.public_url)
    return app


def _collaborators(
    settings: Settings, database: Database, clock: Clock
) -> tuple[Collaborators, LaunchRegistrations, LaunchTransactions]:
    tenants = load_tenants(settings.smart_config / "tenants", settings.references())
    adapters = load_adapters(settings.smart_config / "vendors")
    keyring = load_keyring(settings.sealing_keys, settings.home)
    artifacts, grants = ArtifactStore(keyring), Grants(keyring)
    ehrs = EHRs(tenants, adapters, grants, TenantSessions(), database, clock)
    notes = NoteCommands(database, artifacts, clock)
    writebacks = WritebackCommands(artifacts)
    parts = Collaborators(
        settings=settings,
        clock=clock,
        database=database,
        tenants=tenants,
        grants=grants,
        ehrs=ehrs,
        artifacts=artifacts,
        notes=notes,
        preparation=Preparation(ehrs, notes, ExtractiveDrafter()),
        signing=Signing(database, artifacts, ehrs, clock),
        writebacks=writebacks,
        relay=Relay(Redis.from_url(settings.redis)),
        drain=_drain(settings, database, artifacts, writebacks, ehrs, clock),
    )
    keys = ClientKeys(database, keyring)
    registrations = LaunchRegistrations(tenants, adapters, keys, settings, clock)
    return parts, registrations, LaunchTransactions(database, keyring, clock)


def _drain(
    settings: Settings,
    database: Database,
    artifacts: ArtifactStore,
    writebacks: WritebackCommands,
    ehrs: EHRs,
    clock: Clock,
) -> Drain:
    """What each stage of a write asks the worker for."""
    publication = Publication(database, artifacts, writebacks, ehrs, clock)
    reconciliation = Reconciliation(database, artifacts, writebacks, ehrs, clock)
    provenance = ProvenancePublication(database, artifacts, writebacks, ehrs, clock)
    work = {
        Stage.QUEUED: publication.send,
        Stage.SENDING: reconciliation.admit_unknown,
        Stage.OUTCOME_UNKNOWN: reconciliation.locate,
        Stage.FILED: reconciliation.read_back,
        Stage.VERIFIED: provenance.send,
    }
    return Drain(database, clock, timedelta(seconds=settings.lease_seconds), work)
