"""The only place that knows every part: one Flask app per EHR, mounted under its name."""

from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

from flask import Flask, Response, g, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sandbox.authorization.clients import Clients, load_registrations
from sandbox.authorization.discovery import discovery_routes
from sandbox.authorization.registration import Registration
from sandbox.authorization.routes import authorization_routes
from sandbox.authorization.server import authorization_server
from sandbox.authorization.signing_key import SigningKey
from sandbox.charts.routes import chart_routes, index_routes
from sandbox.clock import DATE_BY_THE_EHR, MACHINE, Clock, now
from sandbox.database import Database
from sandbox.ehr import EHR
from sandbox.fhir.routes import fhir_routes
from sandbox.fhir.store import Store
from sandbox.launcher.routes import launcher_routes
from sandbox.people.seeding import seed
from sandbox.personality import Personality, load_personality, personality_names
from sandbox.qa.callbacks import Callbacks
from sandbox.qa.faults import Faults
from sandbox.qa.injection import set_the_clock
from sandbox.qa.request_log import RequestLog
from sandbox.qa.routes import qa_routes


def create_sandbox(origin: str, home: Path, clients_file: Path, transcripts_file: Path | None) -> DispatcherMiddleware:
    """The WSGI app of all EHRs, with their state under `home` (kept if it is there already)."""
    home.mkdir(parents=True, exist_ok=True)
    registrations = load_registrations(clients_file)
    ehrs = {name: create_ehr(name, origin, registrations.get(name, []), home=home) for name in personality_names()}
    for ehr in ehrs.values():
        seed(ehr, transcripts_file)
        ehr.database.close()
    return mounted(ehrs)


def create_ehr(
    name: str,
    origin: str,
    registered: list[Registration],
    *,
    home: Path | None = None,
    clock: Clock = MACHINE,
    personality: Personality | None = None,
) -> EHR:
    """One EHR, not yet seeded; without a home its state is in memory, and without a clock it goes by this machine's.

    Without a `personality` of its own it has the one in the file of its name.

    For a simulation in one process see `sandbox.in_process.SandboxInProcess`, which is made of this and of `mounted`.
    """
    database = Database(home / f"{name}.sqlite" if home else None)
    store, faults = Store(database, clock), Faults()
    return EHR(
        personality=personality or load_personality(name),
        origin=origin,
        database=database,
        store=store,
        clients=Clients(database, registered),
        signing_key=SigningKey(home / f"{name}-signing-key.json" if home else None),
        faults=faults,
        requests=RequestLog(),
        callbacks=Callbacks(name, store, faults, clock),
        clock=clock,
    )


def mounted(ehrs: Mapping[str, EHR]) -> DispatcherMiddleware:
    """The WSGI app of these EHRs: each under its name, the QA API and the list of charts at the root."""
    root = Flask("sandbox.charts")
    root.json.sort_keys = False  # type: ignore[attr-defined]  # knobs are listed as the table has them
    root.register_blueprint(qa_routes(ehrs))
    root.register_blueprint(index_routes(ehrs))
    return DispatcherMiddleware(root, {f"/{name}": ehr_app(ehr) for name, ehr in ehrs.items()})


def ehr_app(ehr: EHR) -> Flask:
    """The Flask app of one EHR."""
    app = Flask("sandbox.charts")
    app.extensions["ehr"] = ehr
    app.extensions["clock"] = ehr.clock
    server = authorization_server(app, ehr)
    app.register_blueprint(discovery_routes(ehr))
    app.register_blueprint(authorization_routes(ehr, server))
    app.register_blueprint(fhir_routes(ehr))
    app.register_blueprint(chart_routes(ehr))
    app.register_blueprint(launcher_routes(ehr))
    app.after_request(_allow_any_origin)
    app.before_request(set_the_clock)
    app.after_request(_dated)
    return app


def _dated(response: Response) -> Response:
    if "clock_offset" in g:
        response.headers[DATE_BY_THE_EHR] = formatdate(now(), usegmt=True)
    return response


def _allow_any_origin(response: Response) -> Response:
    # SMART conformance: browser apps read discovery, token endpoint and FHIR from their own origin.
    # Nothing here is answered by cookie, so any origin may ask.
    if request.blueprint not in ("charts", "launcher"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Accept, If-Match, Prefer"
        response.headers["Access-Control-Expose-Headers"] = "Location, ETag"
    return response
