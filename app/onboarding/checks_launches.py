"""What recent launches show that no probe can: their iss, what was granted, cookies lost, and why they failed."""

from dataclasses import replace

from app.onboarding.case import Case
from app.onboarding.failed_launches import cause_of, failures_that_count
from app.onboarding.finding import Check, Finding, advice, fine, untold, wrong
from app.onboarding.history import COMPLETED, Trace
from launch.scopes import GrantedScopes

NO_LAUNCH = "No launch has completed in the last two weeks; launch once and run the doctor again."
COOKIE_LOST = ("browser_mismatch", "cookies_blocked")


def check_iss_spelling(case: Case) -> Finding:
    """Launches carry the registered FHIR base; a different spelling of it is found among the strangers (A08, A11)."""
    strangers = [one for one in case.history.strangers if _since_last(case, one)]
    other = next((str(one.facts["issuer"]) for one in strangers if one.outcome == "unknown_issuer"), "")
    if other:
        return wrong(
            Check.ISS_SPELLING,
            f"{len(strangers)} launches came with the iss {other}, which is not registered.",
            expected=case.tenant.fhir_base,
            change="If that is this organisation's EHR, register this base; else find out who launches from there.",
            where=case.ours("fhir_base"),
        )
    if any(one.outcome == "ambiguous_issuer" for one in strangers):
        return wrong(
            Check.ISS_SPELLING,
            "Launches came to an address that does not say which of the organisations on this EHR they are for.",
            expected=case.addresses.launch_url,
            change="Enter this organisation's own launch URL.",
            where=case.theirs("launch_url"),
        )
    carried = case.history.carried
    if not carried:
        return untold(Check.ISS_SPELLING, NO_LAUNCH)
    if carried != case.tenant.fhir_base:
        return advice(
            Check.ISS_SPELLING,
            f"The last launch carried {carried}. It works, because only a slash at the end differs.",
            expected=case.tenant.fhir_base,
            change="Register the base as launches carry it, so that aud and registration are the same text.",
            where=case.ours("fhir_base"),
        )
    return fine(Check.ISS_SPELLING, carried)


def check_scopes_granted(case: Case) -> Finding:
    """What was asked for and not granted, apart from writing (A26, A29)."""
    missing, known = _missing(case)
    if not known:
        return untold(Check.SCOPES_GRANTED, NO_LAUNCH)
    left = tuple(scope for scope in missing if not _is_note_write(scope))
    if not left:
        return fine(Check.SCOPES_GRANTED, f"All {len(case.registration.scopes)} that were asked for")
    required = GrantedScopes(_granted(case)).missing(case.registration.required_scopes)
    says = wrong if required else advice
    return says(
        Check.SCOPES_GRANTED,
        f"Not granted: {', '.join(left)}.",
        expected="Everything on the registration sheet; without these the draft is checked against less of the chart",
        change="Grant them in the EHR, then launch again.",
        where=case.theirs("scopes"),
    )


def check_write_scope(case: Case) -> Finding:
    """Where the profile says that notes can be filed, the last launch was allowed to (A27, A29)."""
    asked = [scope for scope in case.registration.scopes if _is_note_write(scope)]
    if not asked or not case.profile.supports("DocumentReference", "create"):
        return fine(Check.WRITE_SCOPE, f"Not asked for: {case.profile.title} takes no notes by FHIR, they are copied")
    missing, known = _missing(case)
    if not known:
        return untold(Check.WRITE_SCOPE, NO_LAUNCH)
    if not set(asked) & set(missing):
        return fine(Check.WRITE_SCOPE, ", ".join(asked))
    return wrong(
        Check.WRITE_SCOPE,
        f"The last launch was not granted {', '.join(asked)}: notes can be signed and only copied by hand.",
        expected=f"{', '.join(asked)}, besides reading and searching",
        change="Grant it in the EHR. Where scopes come from a list of APIs, tick the one that creates notes.",
        where=f"{case.theirs('scopes')}; see the registration sheet",
    )


def check_cookies(case: Case) -> Finding:
    """Whether framed launches kept our cookie (E02, E03)."""
    framed = [one for one in case.history.traces if one.facts.get("is_framed") or one.outcome in COOKIE_LOST]
    lost = [one for one in framed if one.facts.get("cookie_seen") is False or one.outcome in COOKIE_LOST]
    if not framed:
        return untold(Check.COOKIES, "No framed launch in the last two weeks.")
    if not lost:
        return fine(Check.COOKIES, f"{len(framed)} framed launches, all with their cookie")
    says = wrong if any(one.outcome in COOKIE_LOST for one in case.history.failed_since) else advice
    return says(
        Check.COOKIES,
        f"{len(lost)} of {len(framed)} framed launches came back without Countersign's cookie.",
        expected="Browsers that keep partitioned cookies, or allow cookies for Countersign in frames",
        change=f"Allow third-party or partitioned cookies for {case.addresses.app_origin} by policy; until then "
        "a launch needs a window of its own.",
        where="The organisation: browser policy of the workstations",
    )


def check_recent_launches(case: Case) -> Finding:
    """The launches that failed since the last one that completed, by reason; people's own mistakes left out."""
    failed = failures_that_count(case.history)
    if not failed:
        completed = sum(one.outcome == COMPLETED for one in case.history.traces)
        if not completed and not case.history.last:
            return untold(Check.RECENT_LAUNCHES, NO_LAUNCH)
        return fine(
            Check.RECENT_LAUNCHES, f"{completed} completed in the last two weeks; none failed after the last one"
        )
    newest = failed[0]
    cause = cause_of(newest)
    finding = wrong(
        Check.RECENT_LAUNCHES,
        f"{len(failed)} failed since one completed: {_grouped(failed)}. The newest, {newest.reference}: "
        f"{newest.detail or cause.words}.",
        expected="A launch that completes",
        change=cause.change,
        where=cause.where or f"Traces of launches: {newest.reference}",
    )
    return replace(finding, may_follow=cause.seen_by)


def _grouped(failed: list[Trace]) -> str:
    counts: dict[str, int] = {}
    for one in failed:
        counts[one.outcome] = counts.get(one.outcome, 0) + 1
    return ", ".join(f"{count} x {code}" for code, count in counts.items())


def _since_last(case: Case, trace: Trace) -> bool:
    last = case.history.last
    return last is None or trace.at > last.at


def _granted(case: Case) -> str:
    """The grant of the newest launch that came so far, completed or not."""
    last = case.history.last
    for trace in case.history.failed_since:
        if granted := trace.facts.get("granted_scopes"):
            return " ".join(granted)
    return last.scopes if last else ""


def _missing(case: Case) -> tuple[tuple[str, ...], bool]:
    granted = _granted(case)
    return GrantedScopes(granted).missing(_comparable(case)), bool(granted)


def _comparable(case: Case) -> tuple[str, ...]:
    # launch and the lasting scopes are answered by context and refresh token; many servers do not list them as granted.
    unlisted = ("launch", "openid", "fhirUser", "profile", "offline_access", "online_access")
    return tuple(scope for scope in case.registration.scopes if scope not in unlisted)


def _is_note_write(scope: str) -> bool:
    return scope in ("user/DocumentReference.c", "user/DocumentReference.write")
