"""What the EHR says that it can do, against what we ask for and what its profile says. Advice only (A05, A31).

A statement never switches a write on: that takes the profile, the tenant and the clinician's own grant.
"""

from collections.abc import Iterator
from typing import Any

from app.onboarding.case import Case
from app.onboarding.checks_discovery import NOT_ASKED
from app.onboarding.finding import Check, Finding, advice, fine, untold, wrong
from app.onboarding.sign_in_answer import Verdict, read_sign_in
from launch.scopes import GrantedScopes, parse_resource_scope, scopes_to_request

LETTERS = {"c": "create", "r": "read", "u": "update", "d": "delete", "s": "search-type"}
OURS = {"search-type": "search"}
# The writes that would change what we do if an EHR took them.
WRITES = (("DocumentReference", "create"), ("Provenance", "create"))


def check_scopes_offered(case: Case) -> Finding:
    """What we ask for is among `scopes_supported`, and nothing of it makes the EHR refuse the whole request."""
    metadata = case.observed.metadata
    if metadata is None:
        return untold(Check.SCOPES_OFFERED, NOT_ASKED)
    asked = scopes_to_request(case.registration.scopes, metadata.capabilities)
    heard = case.observed.authorize
    if heard and heard.answer:
        said = read_sign_in(heard.answer, case.registration.redirect_uri)
        if said.verdict is Verdict.SCOPE_REFUSED:
            return wrong(
                Check.SCOPES_OFFERED,
                f"The EHR refuses the whole request because of a scope: {said.seen}.",
                expected=f"The app may ask for: {' '.join(asked)}",
                change="Tick every scope of the registration sheet for this app.",
                where=case.theirs("scopes"),
            )
    offered = _offered(case)
    if offered is None:
        return untold(Check.SCOPES_OFFERED, "The EHR lists no scopes, and need not.")
    missing = GrantedScopes(offered).missing(scope for scope in asked if parse_resource_scope(scope))
    if not missing:
        return fine(Check.SCOPES_OFFERED, f"All {len(asked)} that are asked for")
    return advice(
        Check.SCOPES_OFFERED,
        f"Not among the EHR's scopes_supported: {', '.join(missing)}.",
        expected="The list need not be complete, so this is a hint only",
        change="Compare with what the last launch was granted before you ask the vendor.",
        where=case.theirs("scopes"),
    )


def _offered(case: Case) -> str | None:
    heard = case.observed.configuration
    document = heard.answer.document if heard and heard.answer else None
    listed = document.get("scopes_supported") if document else None
    return " ".join(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else None


def check_capabilities(case: Case) -> Finding:
    """`/metadata` against the profile, for what we use: a drift in either direction."""
    heard = case.observed.statement
    if heard is None:
        return untold(Check.CAPABILITIES, NOT_ASKED)
    declared = _declared(heard.answer.document) if heard.answer and heard.answer.status == 200 else None
    if declared is None:
        return untold(Check.CAPABILITIES, "The EHR's /metadata could not be read as a CapabilityStatement.")
    denied = [f"{kind} {what}" for kind, what in _used(case) if what not in declared.get(kind, frozenset())]
    newly = [
        f"{kind} {what}"
        for kind, what in WRITES
        if what in declared.get(kind, frozenset()) and not case.profile.supports(kind, what)
    ]
    if not denied and not newly:
        return fine(Check.CAPABILITIES, f"It declares all {len(set(_used(case)))} interactions that Countersign uses")
    parts = [
        f"the profile says yes and the EHR does not declare {', '.join(denied)}" if denied else "",
        f"the EHR declares {', '.join(newly)} and the profile does not say yes" if newly else "",
    ]
    found = "; ".join(part for part in parts if part)
    return advice(
        Check.CAPABILITIES,
        f"{found[:1].upper()}{found[1:]}.",
        expected=f"The profile {case.profile.name}, version {case.profile.version}",
        change="Ask the vendor what holds; then change the profile with its source. This switches nothing on or off.",
        where=f"smart-config/vendors/{case.profile.name}.yaml: capabilities",
    )


def _used(case: Case) -> Iterator[tuple[str, str]]:
    """The interactions that our scopes are for and that the profile says yes to, in the statement's words."""
    names = {kind.lower(): kind for kind in case.profile.capabilities}
    for scope in case.registration.scopes:
        parsed = parse_resource_scope(scope)
        for letter in sorted(parsed.interactions) if parsed else ():
            kind, what = names.get(parsed.resource_type, "") if parsed else "", LETTERS[letter]
            if kind and case.profile.supports(kind, OURS.get(what, what)):
                yield kind, what


def _declared(document: dict[str, Any] | None) -> dict[str, frozenset[str]] | None:
    """The interactions of each resource type that a CapabilityStatement declares for its server."""
    if document is None or document.get("resourceType") != "CapabilityStatement":
        return None
    found: dict[str, frozenset[str]] = {}
    for rest in _objects(document.get("rest")):
        for resource in _objects(rest.get("resource")):
            codes = frozenset(str(one.get("code")) for one in _objects(resource.get("interaction")))
            found[str(resource.get("type"))] = codes
    return found


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
