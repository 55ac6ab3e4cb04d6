"""Whether the EHR can be reached and describes its sign-in completely, safely and as registered (A01 to A06, A40)."""

from typing import Any

from app.onboarding.case import Case
from app.onboarding.finding import Check, Finding, fine, untold, wrong
from app.onboarding.probes import Heard
from launch.discovery import endpoint_in
from launch.endpoints import EndpointRefused, origin_of
from launch.errors import DiscoveryRefused
from launch.signing_keys import read_keys

NOT_ASKED = "Not asked: something above has to be put right first."


def check_address(case: Case) -> Finding:
    """Every registered origin resolves, and none leads to a private address (E14)."""
    if not case.observed.unreachable:
        return fine(Check.ADDRESS, ", ".join(sorted(case.registration.pinned_origins)))
    origin, why = next(iter(case.observed.unreachable.items()))
    on_base = case.tenant.fhir_base.lower().startswith(origin)
    return wrong(
        Check.ADDRESS,
        f"{origin} {why}.",
        expected="A name that public DNS knows, at a public address",
        change="Correct the host name; if it is right, this server's DNS or firewall does not let it out.",
        where=case.ours("fhir_base" if on_base else "endpoint_origins"),
    )


def check_discovery(case: Case) -> Finding:
    """`.well-known/smart-configuration` answers 200 with a JSON object."""
    heard, base = case.observed.configuration, case.tenant.fhir_base
    if heard is None:
        return untold(Check.DISCOVERY, NOT_ASKED)
    expected = "Status 200 and a JSON document at .well-known/smart-configuration under the FHIR base"
    if heard.answer is None:
        return wrong(
            Check.DISCOVERY,
            f"{base} did not answer: {heard.why}.",
            expected=expected,
            change="Ask the vendor whether the EHR is up and lets this server's address in; then run the doctor again.",
            where=f"{case.profile.title}: network; or {case.ours('fhir_base')}",
        )
    if heard.answer.status == 200 and heard.answer.document is not None:
        return fine(Check.DISCOVERY, "Status 200, a JSON document")
    return wrong(
        Check.DISCOVERY,
        _what_came(heard),
        expected=expected,
        change=_what_to_do(heard),
        where=case.ours("fhir_base"),
    )


def _what_came(heard: Heard) -> str:
    if heard.answer is None:
        return heard.why
    if heard.answer.status == 200:
        return "Status 200, but no JSON document; a sign-in or maintenance page looks like that."
    return f"Status {heard.answer.status}."


def _what_to_do(heard: Heard) -> str:
    status = heard.answer.status if heard.answer else 0
    if status >= 500:
        return "The EHR has a fault of its own: send the vendor the text below."
    if 300 <= status < 400:
        return "The EHR sends elsewhere, and redirects are not followed: register the base that it answers under."
    return "Compare the FHIR base with the launch's iss: host, path and letter case. It must be the R4 base."


def check_configuration(case: Case) -> Finding:
    """The members that a launch needs are there, and PKCE S256 among them (A04)."""
    document = _document(case)
    if document is None:
        return untold(Check.CONFIGURATION, NOT_ASKED)
    refused = case.observed.refused
    if not refused or not _is_incomplete(refused):
        return fine(Check.CONFIGURATION, "Every member that a launch needs, with PKCE S256")
    return wrong(
        Check.CONFIGURATION,
        f"{refused[:1].upper()}{refused[1:]}.",
        expected="capabilities, grant_types_supported with authorization_code, code_challenge_methods_supported with "
        "S256, both endpoints, and issuer with jwks_uri for sso-openid-connect",
        change="Only the EHR's vendor can: send them the text below.",
        where=f"{case.profile.title}: .well-known/smart-configuration",
    )


def check_endpoints(case: Case) -> Finding:
    """Each endpoint is https and on an origin that the registration lists (A03, A06, E15)."""
    document = _document(case)
    if document is None:
        return untold(Check.ENDPOINTS, NOT_ASKED)
    for member in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if isinstance(document.get(member), str):
            try:
                endpoint_in(document, member, case.registration)
            except DiscoveryRefused as error:
                return _refused_endpoint(case, member, str(document[member]), error.detail)
    return fine(Check.ENDPOINTS, f"All on {', '.join(sorted(case.registration.pinned_origins))}")


def _refused_endpoint(case: Case, member: str, address: str, detail: str) -> Finding:
    try:
        origin = origin_of(address, allow_loopback=case.registration.allow_loopback)
    except EndpointRefused as error:
        return wrong(
            Check.ENDPOINTS,
            f"{member} {error}.",
            expected="An https address without user name or fragment",
            change="Only the EHR's vendor can: send them the text below.",
            where=f"{case.profile.title}: .well-known/smart-configuration, {member}",
        )
    if not detail.endswith("does not list"):
        return wrong(
            Check.ENDPOINTS,
            f"{detail}.",
            expected="A plain https address",
            change="Only the EHR's vendor can: send them the text below.",
            where=f"{case.profile.title}: .well-known/smart-configuration, {member}",
        )
    return wrong(
        Check.ENDPOINTS,
        f"{member} is on {origin}, which the registration does not list.",
        expected=f"One of {', '.join(sorted(case.registration.pinned_origins))}",
        change=f"Ask the vendor whether {origin} is theirs. If it is, add it; if not, do not launch and tell them.",
        where=case.ours("endpoint_origins"),
    )


def check_issuer(case: Case) -> Finding:
    """The issuer is the one that was registered, where one was (A06)."""
    document, registered = _document(case), case.registration.oauth_issuer
    if document is None:
        return untold(Check.ISSUER, NOT_ASKED)
    if registered is None:
        return fine(Check.ISSUER, "None is registered; every id_token is checked against the one that the EHR names")
    named = document.get("issuer")
    if named == registered:
        return fine(Check.ISSUER, str(registered))
    shown = named if isinstance(named, str) and named.isprintable() else "none"
    return wrong(
        Check.ISSUER,
        f"The EHR names {shown[:200]}.",
        expected=str(registered),
        change="Ask the vendor whether the issuer changed. If it did, register the new one; if not, do not launch.",
        where=case.ours("oauth_issuer"),
    )


def check_ehr_keys(case: Case) -> Finding:
    """The key set of the EHR answers with a key that an id_token may be signed with (A40)."""
    heard = case.observed.ehr_keys
    if case.observed.metadata is None:
        return untold(Check.EHR_KEYS, NOT_ASKED)
    if heard is None:
        return untold(Check.EHR_KEYS, "The SMART configuration names no key set; the first launch looks for one.")
    answer = heard.answer
    keys = read_keys(answer.document) if answer and answer.status == 200 and answer.document else ()
    if keys:
        return fine(Check.EHR_KEYS, f"Usable keys: {len(keys)}")
    found = (
        f"It did not answer: {heard.why}." if answer is None else f"Status {answer.status}, and no usable key in it."
    )
    return wrong(
        Check.EHR_KEYS,
        found,
        expected="Status 200 and a JWK Set with an RSA key of 2048 bits or more, or an EC key, for signatures",
        change="Only the EHR's vendor can: send them the text below. Until then nobody's identity can be checked.",
        where=f"{case.profile.title}: .well-known/smart-configuration, jwks_uri",
    )


def _document(case: Case) -> dict[str, Any] | None:
    heard = case.observed.configuration
    answer = heard.answer if heard else None
    return answer.document if answer and answer.status == 200 else None


def _is_incomplete(refused: str) -> bool:
    """Whether the refusal is about a missing member; where endpoints are and who issues are checks of their own."""
    return (
        "is missing" in refused
        or "does not hold" in refused
        or not refused.partition(" ")[0].endswith(("endpoint", "jwks_uri", "issuer"))
    )
