"""One simulated EHR: a personality and the state it works on."""

from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from sandbox.authorization.clients import Clients
from sandbox.authorization.signing_key import SigningKey
from sandbox.clock import MACHINE, Clock
from sandbox.database import Database
from sandbox.fhir.later import Later
from sandbox.fhir.store import Store
from sandbox.personality import Personality
from sandbox.qa.callbacks import Callbacks
from sandbox.qa.faults import Faults
from sandbox.qa.request_log import RequestLog


@dataclass(frozen=True)
class EHR:
    """Everything that one vendor's endpoints need; shared by all threads."""

    personality: Personality
    origin: str
    database: Database
    store: Store
    clients: Clients
    signing_key: SigningKey
    faults: Faults
    requests: RequestLog
    callbacks: Callbacks
    later: Later = field(default_factory=Later)
    clock: Clock = MACHINE

    @property
    def name(self) -> str:
        """`epic`, `athenaone`, `reference`."""
        return self.personality.name

    @property
    def root(self) -> str:
        """Where this EHR is mounted."""
        return f"{self.origin}/{self.name}"

    @property
    def fhir_base(self) -> str:
        """The `iss` of a launch and the `aud` of its tokens."""
        return self.root + self.personality.fhir.path

    @property
    def oauth_base(self) -> str:
        """Parent of the authorize, token, introspect and revoke endpoints."""
        return self.root + self.personality.authorization.oauth_path

    @property
    def issuer(self) -> str:
        """The OpenID issuer: not the FHIR base at most vendors."""
        return self.root + self.personality.authorization.issuer_path


def current_ehr() -> EHR:
    """The EHR whose app is answering this request."""
    return cast(EHR, current_app.extensions["ehr"])
