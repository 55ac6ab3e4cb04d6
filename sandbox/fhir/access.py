"""What the bearer of a token may do: scope, expiry, patient compartment."""

from dataclasses import dataclass
from typing import Any

from flask import g, request

from sandbox.authorization.scopes import ResourceScope, resource_scopes
from sandbox.authorization.tokens import IssuedToken, find_access_token
from sandbox.ehr import EHR
from sandbox.fhir.compartment import patient_of
from sandbox.fhir.outcomes import Refused
from sandbox.fhir.search_match import matches

OUTSIDE_THE_COMPARTMENT = frozenset({"Practitioner", "Organization", "Device"})


@dataclass(frozen=True)
class Access:
    """A valid token with the scopes that speak of this interaction (never none)."""

    ehr: EHR
    token: IssuedToken
    scopes: tuple[ResourceScope, ...]

    def require(self, resource: dict[str, Any], patient: str | None = None) -> None:
        """Raise Refused unless one of the scopes reaches this resource."""
        if not self.reaches(resource, patient):
            raise Refused(403, "forbidden", "The token does not reach this resource.")

    def reaches(self, resource: dict[str, Any], patient: str | None = None) -> bool:
        """Whether a scope covers it: `patient/` only in the launch's chart, granular only what matches."""
        owner = patient or patient_of(resource, self.ehr.store.patient_of)
        return any(self._covers(scope, resource, owner) for scope in self.scopes)

    def _covers(self, scope: ResourceScope, resource: dict[str, Any], owner: str | None) -> bool:
        if scope.context == "patient" and resource["resourceType"] not in OUTSIDE_THE_COMPARTMENT:
            in_reach = owner is not None and owner == self.token.launch.patient
        else:
            in_reach = True
        return in_reach and matches(resource, scope.search)


def require_access(ehr: EHR, resource_type: str, letter: str) -> Access:
    """The access that this request's bearer token gives. Raises Refused 401 or 403."""
    token = _bearer(ehr)
    scopes = tuple(scope for scope in resource_scopes(token.scope) if scope.covers(resource_type, letter))
    if not scopes:
        raise Refused(
            403,
            "forbidden",
            f"The token has no scope for this on {resource_type}.",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            empty_body=not ehr.personality.fhir.missing_scope_body,
        )
    return Access(ehr, token, scopes)


def _bearer(ehr: EHR) -> IssuedToken:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token = find_access_token(ehr.database, value) if scheme.lower() == "bearer" and value else None
    if token is None or token.is_revoked() or token.is_expired():
        raise Refused(
            401,
            "login",
            "The access token is missing, unknown, expired or revoked.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    g.token_sha256 = token.token_sha256
    return token
