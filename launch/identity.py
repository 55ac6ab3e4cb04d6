"""Who launched: the verified user, as the EHR's own Practitioner (SMART App Launch 2.2, fhirUser)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from launch.endpoints import EndpointRefused, origin_of
from launch.errors import IdentityUnverified, NotAClinician

FHIR_USER = re.compile(r"(Patient|Practitioner|PractitionerRole|RelatedPerson|Person)/[A-Za-z0-9.\-]{1,64}")
CLINICIANS = frozenset({"Practitioner", "PractitionerRole"})
LONGEST_SUBJECT = 255
LONGEST_NAME = 200


@dataclass(frozen=True)
class Identity:
    """One user at one EHR. The key is (issuer, subject), never `fhir_user` or a name alone (A45)."""

    issuer: str
    subject: str
    fhir_user: str
    name: str | None


def identify(claims: Mapping[str, Any], fhir_base: str, *, allow_loopback: bool = False) -> Identity:
    """Return the user in the claims of a verified id_token.

    Raises `IdentityUnverified` when there is no usable subject or fhirUser, and `NotAClinician` for anyone
    but a Practitioner or PractitionerRole of this FHIR base (A44).
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise IdentityUnverified("the id_token has no usable sub")
    fhir_user = resolve_fhir_user(claims.get("fhirUser"), fhir_base, allow_loopback=allow_loopback)
    if fhir_user.partition("/")[0] not in CLINICIANS:
        raise NotAClinician("fhirUser is neither Practitioner nor PractitionerRole")
    return Identity(str(claims["iss"]), subject, fhir_user, _name(claims.get("name")))


def resolve_fhir_user(value: object, fhir_base: str, *, allow_loopback: bool = False) -> str:
    """Return a relative reference ("Practitioner/7") from a relative or absolute `fhirUser`.

    Raises `IdentityUnverified` when it is missing, malformed, or not under the tenant's own FHIR base.
    """
    if not isinstance(value, str):
        raise IdentityUnverified("the id_token has no fhirUser; is the fhirUser scope granted?")
    reference = _beneath(value, fhir_base, allow_loopback=allow_loopback) if "://" in value else value
    if not FHIR_USER.fullmatch(reference):
        raise IdentityUnverified("fhirUser is not a user of this FHIR base")
    return reference


def _beneath(url: str, fhir_base: str, *, allow_loopback: bool) -> str:
    try:
        same_origin = origin_of(url, allow_loopback=allow_loopback) == origin_of(
            fhir_base, allow_loopback=allow_loopback
        )
    except EndpointRefused:
        return ""
    path, base_path = urlsplit(url).path, urlsplit(fhir_base).path.rstrip("/") + "/"
    return path.removeprefix(base_path) if same_origin and path.startswith(base_path) else ""


def _name(value: object) -> str | None:
    return value[:LONGEST_NAME] if isinstance(value, str) and value.isprintable() and value.strip() else None
