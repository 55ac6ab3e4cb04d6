"""The composition root: the only place that knows every room, the launch routes and the concrete vendors."""

from datetime import timedelta
from functools import partial

from flask import Flask
from flask_migrate import Migrate
from redis import Redis

from app.administrators.sign_in import SignIn
from app.artifacts.store import ArtifactStore
from app.clock import Clock, system_clock
from app.collaborators import EXTENSION, Collaborators
from app.db import Database, db, engine_options
from app.drafting.extractive import ExtractiveDrafter
from app.event_log.checkpoints import Checkpoints
from app.notes.amend import AmendmentCommands
from app.notes.changes import Changes
from app.notes.handlers import NoteCommands
from app.notes.prepare import Preparation
from app.notes.proposal_handlers import ProposalCommands
from app.notes.retract import Retraction
from app.notes.sign import Signing
from app.onboarding.doctor import LaunchDoctor
from app.onboarding.sheets import Sheets
from app.outbox.pace import Pace
from app.outbox.relay import Relay
from app.pages.admin.accounts import admin_accounts
from app.pages.admin.launches import admin_launches
from app.pages.admin.onboarding import admin_onboarding
from app.pages.admin.sign_in import admin_sign_in, admin_sign_out
from app.pages.admin.tenant import admin_tenant
from app.pages.admin.tenants import admin_tenants
from app.pages.audit import audit
from app.pages.callbacks import callbacks
from app.pages.changing import changing
from app.pages.charts import charts
from app.pages.claims import claims
from app.pages.ending import ending
from app.pages.error_pages import render_errors
from app.pages.filed_entries import filed_entries
from app.pages.filing import filing
from app.pages.frame import frame_every_response
from app.pages.health import health
from app.pages.launched import open_chart
from app.pages.launching import render_launch_page
from app.pages.limits import limit_requests
from app.pages.operations import operations
from app.pages.proposals import proposals
from app.pages.record import record
from app.pages.signature import signature
from app.pages.still_here import ask_when_idle, still_here
from app.pages.stopped import stopped
from app.pages.storage_access import use_allowed_cookies
from app.publication.drain import ON_ITS_OWN, Drain, Tempo
from app.publication.giving_back import GivingBack
from app.publication.leave import Leave
from app.publication.provenance import ProvenancePublication
from app.publication.publish import Publication
from app.publication.turn import Turn
from app.reconciliation.after_restore import AfterRestore
from app.reconciliation.following import Following
from app.reconciliation.notices import Notices
from app.reconciliation.reconcile import Reconciliation
from app.reconciliation.stopped import Stopped
from app.sealing import load_keyring
from app.settings import ROOT, Settings
from app.tenants.authorization_servers import AuthorizationServers
from app.tenants.client_keys import ClientKeys
from app.tenants.directory import Tenants, load_tenants
from app.tenants.ehr import EHRs
from app.tenants.grants import Grants
from app.tenants.launch_ports import LaunchRegistrations, LaunchTransactions, WaitingForBrowser
from app.tenants.moved_bases import MovedBases
from app.tenants.reading import Readers
from app.tenants.registering import Registering
from app.tenants.renewal import Renewal
from app.tenants.rollout import Rollout
from app.tenants.secrets import Secrets
from app.tenants.sessions import TenantSessions
from app.tenants.switches import RESOURCES, Switches
from app.tenants.traces import Traces
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage
from launch.routes import key_set_blueprint, launch_blueprint
from vendors.registry import load_adapters

LARGEST_REQUEST = 256 * 1024
ADMINISTRATORS_PAGES = (
    admin_sign_in,
    admin_sign_out,
    admin_tenants,
    admin_tenant,
    admin_onboarding,
    admin_launches,
    admin_accounts,
    audit,
    operations,
)


def create_app(settings: Settings | None = None, clock: Clock = system_clock, tempo: Tempo = ON_ITS_OWN) -> Flask:
    """The web application, also the context of worker and commands. Raises `Misconfigured` naming what is wrong.

    A simulation gives its own `clock` and `tempo`.
    """
    settings = settings or Settings()
    app = Flask("countersign", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database),
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
    )
    settings.home.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        database = Database(db.engine, own_clock=clock is system_clock)
    parts, registrations, (transactions, waiting_launches) = _collaborators(settings, database, clock, tempo)
    app.extensions[EXTENSION] = parts
    tenants, sessions = parts.tenants, parts.ehrs.session
    app.register_blueprint(
        launch_blueprint(
            registrations,
            transactions,
            waiting_launches,
            lambda registration: sessions(tenants.require(registration.tenant_id)),
            partial(open_chart, parts),
            render_launch_page,
            clock,
        )
    )
    app.register_blueprint(key_set_blueprint(registrations.signers))
    for blueprint in (
        charts,
        changing,
        claims,
        proposals,
        signature,
        filing,
        stopped,
        filed_entries,
        record,
        ending,
        still_here,
        health,
        callbacks,
    ):
        app.register_blueprint(blueprint)
    for blueprint in ADMINISTRATORS_PAGES:
        app.register_blueprint(blueprint)
    render_errors(app)
    ask_when_idle(app)
    use_allowed_cookies(app)
    limit_requests(app, settings, load_keyring(settings.sealing_keys, settings.home))
    frame_every_response(app, parts.tenants, settings.public_url)
    return app


def _collaborators(
    settings: Settings, database: Database, clock: Clock, tempo: Tempo
) -> tuple[Collaborators, LaunchRegistrations, tuple[LaunchTransactions, WaitingForBrowser]]:
    tenants = load_tenants(settings.smart_config / "tenants", settings.references(), database)
    adapters = load_adapters(settings.smart_config / "vendors")
    profiles = {name: adapter.profile for name, adapter in adapters.items()}
    keyring = load_keyring(settings.sealing_keys, settings.home)
    artifacts, grants, keys = ArtifactStore(keyring), Grants(keyring), ClientKeys(database, keyring)
    secrets = Secrets(database, keyring, settings.references(), settings.secret_files, clock)
    sessions = TenantSessions(loopback=settings.on_this_machine)
    registrations = LaunchRegistrations(tenants, adapters, keys, secrets, settings, clock)
    servers = AuthorizationServers(registrations, sessions, clock)
    ehrs = EHRs(tenants, adapters, Renewal(database, grants, servers, clock, tempo.wait), sessions, database)
    notes = NoteCommands(database, artifacts, clock)
    writebacks = WritebackCommands(artifacts)
    readers, switches = Readers(database, ehrs, servers, RESOURCES, clock), Switches(database, clock)
    relay = Relay(Redis.from_url(settings.redis), tenants)
    changes = Changes(database, artifacts, tenants, ehrs)
    parts = Collaborators(
        settings=settings,
        clock=clock,
        database=database,
        sign_in=SignIn(database, keyring, settings, clock),
        tenants=tenants,
        registering=Registering(database, tenants, keys, profiles, settings, clock),
        secrets=secrets,
        client_keys=keys,
        rollout=Rollout(database, clock),
        switches=switches,
        moved_bases=MovedBases(database, clock),
        grants=grants,
        traces=Traces(database, clock),
        checkpoints=Checkpoints(
            database, keyring, settings.checkpoint_directory, timedelta(minutes=settings.checkpoint_minutes), clock
        ),
        giving_back=GivingBack(database, grants, servers, tenants, clock),
        ehrs=ehrs,
        artifacts=artifacts,
        notes=notes,
        proposals=ProposalCommands(database, artifacts, clock),
        preparation=Preparation(database, ehrs, notes, ExtractiveDrafter()),
        signing=Signing(database, artifacts, tenants, ehrs, clock),
        amendments=AmendmentCommands(database, artifacts, changes, writebacks, ehrs, clock),
        retraction=Retraction(database, artifacts, changes, ehrs, clock),
        writebacks=writebacks,
        relay=relay,
        notices=Notices(database, clock),
        stopped=Stopped(database, writebacks, relay.ring, clock),
        drain=_drain(settings, database, artifacts, writebacks, tenants, ehrs, clock, tempo),
        following=Following(database, artifacts, writebacks, ehrs, readers, clock),
        after_restore=AfterRestore(database, writebacks, switches, ehrs, readers, clock),
        sheets=Sheets(tenants, ehrs, settings.public_url),
        doctor=LaunchDoctor(tenants, ehrs, registrations, database, clock, settings.public_url),
    )
    stores = LaunchTransactions(database, keyring, clock), WaitingForBrowser(database, keyring, clock)
    return parts, registrations, stores


def _drain(
    settings: Settings,
    database: Database,
    artifacts: ArtifactStore,
    writebacks: WritebackCommands,
    tenants: Tenants,
    ehrs: EHRs,
    clock: Clock,
    tempo: Tempo,
) -> Drain:
    """What each stage of a write asks the worker for."""
    leave, pace = Leave(database, tenants, writebacks), Pace(database, clock, tempo.chance)
    turn = Turn(database, writebacks)
    publication = Publication(database, artifacts, writebacks, leave, turn, ehrs, pace, clock)
    reconciliation = Reconciliation(database, artifacts, writebacks, ehrs, pace, clock)
    provenance = ProvenancePublication(database, artifacts, writebacks, leave, ehrs, pace, clock)
    work = {
        Stage.QUEUED: publication.send,
        Stage.SENDING: reconciliation.admit_unknown,
        Stage.OUTCOME_UNKNOWN: reconciliation.locate,
        Stage.FILED: reconciliation.read_back,
        Stage.VERIFIED: provenance.send,
        Stage.SUPERSEDED: provenance.let_lapse,
    }
    lease = timedelta(seconds=settings.lease_seconds)
    return Drain(database, clock, lease, work, pace, tenants, tempo)
