"""From a case to an ordered diagnosis: every check once, causes before what follows from them."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from app.onboarding.case import Case
from app.onboarding.checks_client import (
    check_client_authentication,
    check_client_id,
    check_methods,
    check_redirect_uri,
    check_sign_in,
)
from app.onboarding.checks_discovery import (
    check_address,
    check_configuration,
    check_discovery,
    check_ehr_keys,
    check_endpoints,
    check_issuer,
)
from app.onboarding.checks_filing import check_filed_at_once, check_identifiers
from app.onboarding.checks_launches import (
    check_cookies,
    check_iss_spelling,
    check_recent_launches,
    check_scopes_granted,
    check_write_scope,
)
from app.onboarding.checks_offer import check_capabilities, check_scopes_offered
from app.onboarding.checks_ourselves import (
    check_clock,
    check_frame_origins,
    check_own_keys,
    check_own_pages,
    check_public_url,
)
from app.onboarding.failed_launches import cause_of, failures_that_count
from app.onboarding.finding import CHECKS, Check, Finding, Outcome, fine

JUDGES: dict[Check, Callable[[Case], Finding]] = {
    # Whoever has a case has a registration that can be used; a doctor who has none says so alone.
    Check.REGISTRATION: lambda case: fine(Check.REGISTRATION, f"{case.tenant.vendor}, {case.tenant.environment}"),
    Check.PUBLIC_URL: check_public_url,
    Check.FRAME_ORIGINS: check_frame_origins,
    Check.ADDRESS: check_address,
    Check.DISCOVERY: check_discovery,
    Check.CONFIGURATION: check_configuration,
    Check.ENDPOINTS: check_endpoints,
    Check.ISSUER: check_issuer,
    Check.EHR_KEYS: check_ehr_keys,
    Check.CLOCK: check_clock,
    Check.OWN_KEYS: check_own_keys,
    Check.OWN_PAGES: check_own_pages,
    Check.METHODS: check_methods,
    Check.CLIENT_ID: check_client_id,
    Check.REDIRECT_URI: check_redirect_uri,
    Check.SIGN_IN: check_sign_in,
    Check.CLIENT_AUTHENTICATION: check_client_authentication,
    Check.ISS_SPELLING: check_iss_spelling,
    Check.SCOPES_OFFERED: check_scopes_offered,
    Check.SCOPES_GRANTED: check_scopes_granted,
    Check.WRITE_SCOPE: check_write_scope,
    Check.COOKIES: check_cookies,
    Check.CAPABILITIES: check_capabilities,
    Check.IDENTIFIERS: check_identifiers,
    Check.FILED_AT_ONCE: check_filed_at_once,
    Check.RECENT_LAUNCHES: check_recent_launches,
}
if list(JUDGES) != list(Check):
    raise TypeError("every check needs its judge")
SHOWN_FIRST = (Outcome.WRONG, Outcome.ADVICE, Outcome.OPEN, Outcome.FINE)


def diagnose(case: Case) -> tuple[Finding, ...]:
    """Every check of a case, ordered: causes, their consequences, advice, what is open, what is fine."""
    return in_order(_settled([judge(case) for judge in JUDGES.values()], case))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with each consequence marked by its cause, and causes first."""
    found = list(findings)
    failed = {finding.check for finding in found if finding.outcome is Outcome.WRONG}
    marked = [replace(finding, because_of=_cause(finding, failed)) for finding in found]
    return tuple(sorted(marked, key=_rank))


def _cause(finding: Finding, failed: set[Check]) -> Check | None:
    if finding.outcome is Outcome.FINE:
        return None
    possible = {*CHECKS[finding.check].follows, *finding.may_follow} & failed - {finding.check}
    return next((check for check in Check if check in possible), None)


def _rank(finding: Finding) -> tuple[int, bool, int]:
    order = list(Check).index(finding.check)
    return SHOWN_FIRST.index(finding.outcome), finding.because_of is not None, order


def _settled(findings: list[Finding], case: Case) -> list[Finding]:
    """A failure of past launches that cannot happen any more becomes advice: launch again."""
    fine_now = {finding.check for finding in findings if finding.outcome is Outcome.FINE}
    newest = next(iter(failures_that_count(case.history)), None)
    cause = cause_of(newest) if newest else None
    if cause is None or not cause.is_over or not set(cause.seen_by) <= fine_now:
        return findings
    again = "What explains it is in order now. Launch once more."
    return [
        replace(one, outcome=Outcome.ADVICE, change=again)
        if one.check is Check.RECENT_LAUNCHES and one.outcome is Outcome.WRONG
        else one
        for one in findings
    ]
