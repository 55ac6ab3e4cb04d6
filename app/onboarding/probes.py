"""What the doctor asks the EHR and ourselves: each address at most once in a run, nothing that changes anything.

The two probes of the authorization server carry a launch and a code that were never issued. They tell whether the
server knows our client id, redirect URI and proof before it notices; no user is signed in and no token is made.
All requests go through guarded sessions: the tenant's own, and one that reaches our public address and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

import requests

from app.clock import Clock
from app.onboarding.addresses import Addresses
from launch.authorization import start_launch
from launch.discovery import ServerMetadata, configuration_url, read_metadata
from launch.endpoints import origin_of
from launch.errors import DiscoveryRefused
from launch.registration import Registration
from launch.token_endpoint import post_as_client
from launch.transaction import AskedLaunch, new_secret
from launch.wire import Answer, NoAnswer, fetch
from vendors.egress import EgressPolicy, guarded_session
from vendors.pinning import AddressRefused, checked_addresses, is_loopback_name

SECONDS = 10
NEVER_ISSUED = "countersign-launch-doctor-never-issued"
# How the doctor names itself to ourselves: the error page that it asks for is no launch, and leaves no trace of one.
CALLED = "Countersign launch doctor"
# What a browser says of a page that another one frames; a server may answer it otherwise than a window.
AS_A_FRAME = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Heard:
    """What one request came to: an answer, or why there is none; and when it was sent and answered, by our clock."""

    answer: Answer | None
    why: str
    sent_at: datetime
    heard_at: datetime


@dataclass(frozen=True)
class Observed:
    """Everything that was heard in one run; None where something earlier made it pointless to ask."""

    unreachable: Mapping[str, str] = field(default_factory=dict)
    configuration: Heard | None = None
    metadata: ServerMetadata | None = None
    refused: str = ""
    ehr_keys: Heard | None = None
    authorize: Heard | None = None
    token: Heard | None = None
    statement: Heard | None = None
    own_keys: Heard | None = None
    own_page: Heard | None = None

    def from_ehr(self) -> tuple[Heard, ...]:
        """Every answer of the EHR, first asked first."""
        asked = (self.configuration, self.ehr_keys, self.authorize, self.token, self.statement)
        return tuple(heard for heard in asked if heard and heard.answer)


class Probes:
    """Makes the requests of one run."""

    def __init__(self, registration: Registration, session: requests.Session, addresses: Addresses, now: Clock) -> None:
        self._registration = registration
        self._session = session
        self._addresses = addresses
        self._now = now

    def run(self) -> Observed:
        """Ask everything that can be asked; nothing is raised."""
        observed = self._ourselves(Observed(unreachable=self._unreachable()))
        if _base_origin(self._registration) in observed.unreachable:
            return observed
        statement = f"{self._registration.fhir_base.rstrip('/')}/metadata"
        observed = replace(observed, configuration=self._configuration(), statement=self._get(statement))
        try:
            metadata = read_metadata(_document(observed.configuration), self._registration)
        except DiscoveryRefused as error:
            return replace(observed, refused=error.detail)
        return replace(
            observed,
            metadata=metadata,
            ehr_keys=self._get(metadata.jwks_uri) if metadata.jwks_uri else None,
            authorize=self._authorize(metadata),
            token=self._token(metadata),
        )

    def _unreachable(self) -> dict[str, str]:
        """Origins of this EHR that lead nowhere or inwards, each with why."""
        return {
            origin: why
            for origin in sorted(self._registration.pinned_origins)
            if (why := _why_unreachable(origin, allow_loopback=self._registration.allow_loopback))
        }

    def _ourselves(self, observed: Observed) -> Observed:
        """Our key set and an error page of this tenant, over the address that browsers and EHRs use."""
        host = urlsplit(self._addresses.app_origin).hostname or ""
        try:
            policy = EgressPolicy(frozenset({self._addresses.app_origin}), allow_loopback=is_loopback_name(host))
        except (ValueError, requests.RequestException):
            return observed  # the address is none; the check of it says so
        with guarded_session(policy) as session:
            session.headers["User-Agent"] = CALLED
            keys = self._heard(lambda: fetch(session, self._addresses.jwks_url, {}, seconds=SECONDS))
            page = self._heard(lambda: fetch(session, self._addresses.redirect_uri, {}, seconds=SECONDS))
        return replace(observed, own_keys=keys, own_page=page)

    def _configuration(self) -> Heard:
        headers = self._registration.discovery_headers
        return self._get(configuration_url(self._registration.fhir_base), headers)

    def _authorize(self, metadata: ServerMetadata) -> Heard:
        asked = AskedLaunch(self._registration.fhir_base, NEVER_ISSUED)
        started = start_launch(asked, self._registration, metadata, self._now())
        framed = self._registration.sign_in == "in_frame"
        return self._get(started.request.url, AS_A_FRAME if framed else None)

    def _token(self, metadata: ServerMetadata) -> Heard:
        form = {
            "grant_type": "authorization_code",
            "code": NEVER_ISSUED,
            "redirect_uri": self._registration.redirect_uri,
            "code_verifier": new_secret(),
        }
        return self._heard(
            lambda: post_as_client(
                self._session,
                metadata.token_endpoint,
                form,
                registration=self._registration,
                token_endpoint=metadata.token_endpoint,
                now=self._now(),
                seconds=SECONDS,
            )
        )

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Heard:
        return self._heard(lambda: fetch(self._session, url, headers or {}, seconds=SECONDS))

    def _heard(self, request: Callable[[], Answer]) -> Heard:
        sent_at = self._now()
        try:
            answer = request()
        except NoAnswer as error:
            return Heard(None, str(error), sent_at, self._now())
        return Heard(answer, "", sent_at, self._now())


def _document(heard: Heard | None) -> Mapping[str, object]:
    answer = heard.answer if heard else None
    if answer is None or answer.status != 200 or answer.document is None:
        raise DiscoveryRefused  # why, the check of the answer itself says
    return answer.document


def _base_origin(registration: Registration) -> str:
    return origin_of(registration.fhir_base, allow_loopback=registration.allow_loopback)


def _why_unreachable(origin: str, *, allow_loopback: bool) -> str:
    parts = urlsplit(origin)
    try:
        checked_addresses(parts.hostname or "", parts.port or PORTS[parts.scheme], allow_loopback=allow_loopback)
    except AddressRefused:
        return "leads to a private or reserved address"
    except OSError:
        return "cannot be found by this server's DNS"
    return ""
