"""What can be wrong between a tenant and its EHR, one thing at a time, and what the doctor must name first."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert

from app.onboarding.finding import Check, Outcome
from app.tenants.tables import launch_traces
from tests.ehr import free_port
from tests.service import CLIENTS, SECRET, TENANTS, Service

Seed = Callable[[Service, str], Any]


@dataclass(frozen=True)
class Seeded:
    """One misconfiguration: how it comes about, what the doctor must name first, and where to change it."""

    what: str
    seed: Seed
    check: Check
    where: str
    ehr: str = "epic"
    outcome: Outcome = Outcome.WRONG


def fault(name: str, interaction: str = "", **more: Any) -> Seed:
    """The EHR answers so, every time."""
    return lambda service, ehr: service.ehr.arm(ehr, fault=name, interaction=interaction, times=None, **more)


def document(**members: Any) -> Seed:
    """The SMART configuration says this instead."""
    return fault("discovery_changed", "discovery", options=members)


def registered_here(**fields: Any) -> Seed:
    """Our registration says this instead; `{ehr}` in a text is where the sandbox is."""

    def seed(service: Service, ehr: str) -> None:
        filled = {
            name: value.replace("{ehr}", service.ehr.origin) if isinstance(value, str) else value
            for name, value in fields.items()
        }
        service.change_tenant(TENANTS[ehr], **filled)

    return seed


def registered_there(**fields: Any) -> Seed:
    """The EHR's record of our app says this instead; `{app}` is where we are."""

    def seed(service: Service, ehr: str) -> None:
        filled = json.loads(json.dumps(fields).replace("{app}", service.origin))
        service.ehr.register_client(ehr, CLIENTS[ehr], **filled)

    return seed


def authentication(**fields: Any) -> Seed:
    """Another way of client authentication in our registration."""

    def seed(service: Service, ehr: str) -> None:
        tenant = service.parts.tenants.require(TENANTS[ehr])
        service.change_tenant(tenant.id, authentication=tenant.authentication.model_copy(update=fields))

    return seed


def public_url(value: str) -> Seed:
    """COUNTERSIGN_PUBLIC_URL is wrong."""

    def seed(service: Service, _ehr: str) -> None:
        service.parts.doctor._public_url = value.replace("{free}", str(free_port()))

    return seed


def trace(outcome: str, *, of_tenant: bool = True, ago: float = 1, **facts: Any) -> Seed:
    """A launch left this behind."""

    def seed(service: Service, ehr: str) -> None:
        filled = {
            name: value.replace("{ehr}", service.ehr.origin) if isinstance(value, str) else value
            for name, value in facts.items()
        }
        row = {
            "trace_id": uuid4().hex, "reference": "AB12CD", "tenant_id": TENANTS[ehr] if of_tenant else None,
            "happened_at": service.clock() - timedelta(minutes=ago), "step": "launch", "outcome": outcome,
            "detail": "", "facts": json.dumps(filled),
        }  # fmt: skip
        with service.parts.database.write() as tx:
            tx.execute(insert(launch_traces).values(**row))

    return seed


def launched(*before: Seed) -> Seed:
    """A clinician launches, after whatever else is so."""

    def seed(service: Service, ehr: str) -> None:
        for one in before:
            one(service, ehr)
        service.open_chart(ehr=ehr)

    return seed


def later(seed: Seed, **time: float) -> Seed:
    """Some time passes here first, and not at the EHR."""

    def seeding(service: Service, ehr: str) -> None:
        seed(service, ehr)
        service.clock.advance(**time)

    return seeding


def nothing(_service: Service, _ehr: str) -> None:
    """All is as it should be."""


BY_SECRET = {"method": "client_secret_basic", "secret": SECRET}
SEEDS = (
    # Our registration
    Seeded(
        "the FHIR base has a wrong path",
        registered_here(fhir_base="{ehr}/epic/api/FHIR/R5"),
        Check.DISCOVERY,
        "fhir_base",
    ),
    Seeded(
        "the FHIR base has another letter case",
        registered_here(fhir_base="{ehr}/epic/API/fhir/R4"),
        Check.DISCOVERY,
        "fhir_base",
    ),
    Seeded(
        "the FHIR base's host does not exist",
        registered_here(fhir_base="https://ehr.invalid/api/FHIR/R4"),
        Check.ADDRESS,
        "fhir_base",
    ),
    Seeded(
        "the FHIR base leads to a private address",
        registered_here(fhir_base="https://10.0.0.7/api/FHIR/R4"),
        Check.ADDRESS,
        "fhir_base",
    ),
    Seeded(
        "an endpoint's origin leads to a metadata service",
        registered_here(endpoint_origins=("https://169.254.169.254",)),
        Check.ADDRESS,
        "endpoint_origins",
    ),
    Seeded("the client id is mistyped", registered_here(client_id="countersign-harbour"), Check.CLIENT_ID, "client_id"),
    Seeded(
        "the secret's variable is not set",
        authentication(secret="${NEVER_SET_SECRET}"),
        Check.REGISTRATION,
        "environment",
        "athenaone",
    ),
    Seeded(
        "the secret's file is missing",
        authentication(secret="file:/nowhere/secret"),
        Check.REGISTRATION,
        "environment",
        "athenaone",
    ),
    Seeded(
        "the secret was never kept",
        authentication(secret="sealed:never-kept"),
        Check.REGISTRATION,
        "environment",
        "athenaone",
    ),
    Seeded(
        "the issuer is not the registered one",
        registered_here(oauth_issuer="https://login.example/oauth2"),
        Check.ISSUER,
        "oauth_issuer",
    ),
    Seeded(
        "the frame origins hold a wildcard",
        registered_here(frame_origins=("https://*.harbor.example",)),
        Check.FRAME_ORIGINS,
        "frame_origins",
    ),
    Seeded(
        "the frame origin is a whole address",
        registered_here(frame_origins=("https://ehr.harbor.example/app/",)),
        Check.FRAME_ORIGINS,
        "frame_origins",
    ),
    Seeded("no frame origin is registered", registered_here(frame_origins=()), Check.FRAME_ORIGINS, "frame_origins"),
    Seeded(
        "the frame origin is not https",
        registered_here(frame_origins=("http://ehr.harbor.example",)),
        Check.FRAME_ORIGINS,
        "frame_origins",
    ),
    Seeded(
        "signs with an algorithm that the EHR does not list",
        document(token_endpoint_auth_signing_alg_values_supported=["RS384"]),
        Check.METHODS,
        "authentication.algorithm",
    ),
    Seeded(
        "uses a secret where a key is better",
        nothing,
        Check.METHODS,
        "authentication.method",
        "athenaone",
        Outcome.ADVICE,
    ),
    # This installation
    Seeded(
        "the public address is plain http on the network",
        public_url("http://countersign.harbor.example"),
        Check.PUBLIC_URL,
        "COUNTERSIGN_PUBLIC_URL",
    ),
    Seeded(
        "the public address ends in a slash",
        public_url("https://countersign.example/"),
        Check.PUBLIC_URL,
        "COUNTERSIGN_PUBLIC_URL",
    ),
    Seeded(
        "nobody answers at the public address",
        public_url("http://app.localhost:{free}"),
        Check.PUBLIC_URL,
        "COUNTERSIGN_PUBLIC_URL",
    ),
    Seeded("our clock is ten minutes ahead", later(nothing, minutes=10), Check.CLOCK, "clock"),
    Seeded("our clock is ten minutes behind", later(nothing, minutes=-10), Check.CLOCK, "clock"),
    # The app's record at the EHR
    Seeded("the app is disabled there", registered_there(status="disabled"), Check.CLIENT_ID, "client_id"),
    Seeded(
        "the app's registration has expired there",
        registered_there(status="expired"),
        Check.CLIENT_AUTHENTICATION,
        "JWK Set URL",
    ),
    Seeded(
        "the redirect URI has another letter case",
        registered_there(redirect_uris=["{app}/Callback/harbor-epic"]),
        Check.REDIRECT_URI,
        "Redirect URI",
    ),
    Seeded(
        "the redirect URI ends in a slash",
        registered_there(redirect_uris=["{app}/callback/harbor-epic/"]),
        Check.REDIRECT_URI,
        "Redirect URI",
    ),
    Seeded(
        "the redirect URI is another organisation's",
        registered_there(redirect_uris=["{app}/callback/lakeside-athenaone"]),
        Check.REDIRECT_URI,
        "Redirect URI",
    ),
    Seeded(
        "the JWKS URL there is wrong",
        registered_there(auth={"method": "private_key_jwt", "jwks_uri": "{app}/jwks"}),
        Check.CLIENT_AUTHENTICATION,
        "JWK Set URL",
    ),
    Seeded(
        "the JWKS URL there is another tenant's",
        registered_there(
            auth={"method": "private_key_jwt", "jwks_uri": "{app}/.well-known/jwks/reference-hospital.json"}
        ),
        Check.CLIENT_AUTHENTICATION,
        "JWK Set URL",
    ),
    Seeded(
        "registered by secret there, by key here",
        registered_there(auth=BY_SECRET),
        Check.CLIENT_AUTHENTICATION,
        "JWK Set URL",
    ),
    Seeded(
        "the secret there is another one",
        registered_there(auth={"method": "client_secret_basic", "secret": "rotated"}),
        Check.CLIENT_AUTHENTICATION,
        "authentication.secret",
        "athenaone",
    ),
    Seeded(
        "the write scope is not granted",
        launched(fault("scopes_without_writes", "authorize")),
        Check.WRITE_SCOPE,
        "registration sheet",
    ),
    Seeded(
        "the allergy list is not granted",
        launched(fault("scopes_dropped", "authorize", options={"scopes": ["*AllergyIntolerance*"]})),
        Check.SCOPES_GRANTED,
        "Epic",
        "epic",
        Outcome.ADVICE,
    ),
    Seeded(
        "the whole request is refused for a scope",
        fault("authorize_invalid_scope"),
        Check.SCOPES_OFFERED,
        "Scopes",
        "reference",
    ),
    Seeded(
        "scopes_supported lacks what is asked for",
        document(scopes_supported=["launch", "openid", "fhirUser"]),
        Check.SCOPES_OFFERED,
        "Epic",
        "epic",
        Outcome.ADVICE,
    ),
    # The EHR itself
    Seeded("the EHR is down", fault("answer_500", "discovery"), Check.DISCOVERY, "fhir_base"),
    Seeded(
        "the EHR shows a sign-in page in place of its configuration",
        fault("answer_html_as_success", "discovery"),
        Check.DISCOVERY,
        "fhir_base",
    ),
    Seeded("the EHR drops the connection", fault("drop_connection", "discovery"), Check.DISCOVERY, "fhir_base"),
    Seeded("the configuration has moved", fault("discovery_redirect"), Check.DISCOVERY, "fhir_base"),
    Seeded("the configuration is endless", fault("discovery_huge"), Check.DISCOVERY, "fhir_base"),
    Seeded("PKCE S256 is missing", fault("discovery_without_s256"), Check.CONFIGURATION, "smart-configuration"),
    Seeded(
        "the token endpoint is missing",
        fault("discovery_without_token_endpoint"),
        Check.CONFIGURATION,
        "smart-configuration",
    ),
    Seeded("the issuer is missing", fault("discovery_without_issuer"), Check.CONFIGURATION, "smart-configuration"),
    Seeded(
        "the token endpoint is on an origin that is not registered",
        fault("discovery_foreign_token"),
        Check.ENDPOINTS,
        "endpoint_origins",
    ),
    Seeded(
        "the sign-in is on an origin that is not registered",
        fault("discovery_foreign_authorize"),
        Check.ENDPOINTS,
        "endpoint_origins",
    ),
    Seeded("the endpoints are plain http", fault("discovery_http"), Check.ENDPOINTS, "smart-configuration"),
    Seeded("the EHR publishes no keys", fault("keys_none"), Check.EHR_KEYS, "jwks_uri"),
    Seeded("the EHR's keys cannot be fetched", fault("keys_down"), Check.EHR_KEYS, "jwks_uri"),
    Seeded("the sign-in refuses to be framed", fault("frame_refused"), Check.SIGN_IN, "sign_in"),
    Seeded("the sign-in is not there", fault("answer_html", "authorize"), Check.SIGN_IN, "authorization_endpoint"),
    Seeded(
        "the token endpoint shows a page",
        fault("answer_html_as_success", "token"),
        Check.CLIENT_AUTHENTICATION,
        "token_endpoint",
    ),
    Seeded(
        "the token endpoint does not answer",
        fault("drop_connection", "token"),
        Check.CLIENT_AUTHENTICATION,
        "token_endpoint",
    ),
    Seeded(
        "/metadata no longer declares notes",
        fault("discovery_changed", "metadata", options={"rest": []}),
        Check.CAPABILITIES,
        "epic.yaml",
        "epic",
        Outcome.ADVICE,
    ),
    # What launches show
    Seeded(
        "launches carry another host's spelling of the base",
        trace("unknown_issuer", of_tenant=False, issuer="{ehr}/epic/api/fhir/r4"),
        Check.ISS_SPELLING,
        "fhir_base",
    ),
    Seeded(
        "launches carry a slash more than the base",
        trace("completed", issuer="{ehr}/epic/api/FHIR/R4/"),
        Check.ISS_SPELLING,
        "fhir_base",
        "epic",
        Outcome.ADVICE,
    ),
    Seeded(
        "browsers lose the cookie",
        trace("browser_mismatch", is_framed=True, cookie_seen=False),
        Check.COOKIES,
        "browser policy",
    ),
    Seeded(
        "the users may not use the app",
        trace("authorization_denied", oauth_error="access_denied"),
        Check.RECENT_LAUNCHES,
        "users and activation",
    ),
    Seeded("launches come without a visit", trace("context_missing"), Check.RECENT_LAUNCHES, "launch's own record"),
)
