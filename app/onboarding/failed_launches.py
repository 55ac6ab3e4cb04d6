"""Why launches fail, by the code of the error: which checks explain it, and what to change when none does."""

from dataclasses import dataclass

from app.onboarding.finding import Check
from app.onboarding.history import History, Trace


@dataclass(frozen=True)
class Cause:
    """What an error code means for whoever looks after the tenant.

    `is_passing`: a person's own slip or an outage, which needs no change here and is no finding by itself. `seen_by`:
    the checks that would explain it; `is_over` says that it cannot happen any more once all of them find nothing.
    """

    words: str
    change: str
    where: str = ""
    is_passing: bool = False
    seen_by: tuple[Check, ...] = ()
    is_over: bool = False


_VENDOR = "The EHR: send the vendor the text below"
PASSING = Cause("A person's slip, a bookmark or a short outage", "Nothing, unless it repeats.", is_passing=True)
UNKNOWN_CAUSE = Cause("It has no words here yet", "Open the launch's trace by the code that the clinician saw.")

CAUSES: dict[str, Cause] = {
    "launch_failed": UNKNOWN_CAUSE,
    "malformed_request": PASSING,
    "no_organisation_named": PASSING,
    "handle_refused": PASSING,
    "launch_expired": PASSING,
    "state_refused": PASSING,
    "too_many_waiting": Cause(
        "More launches were begun within ten minutes than are kept",
        "Look in the proxy's log for an address that opens the launch URL again and again, and stop it there.",
        "The proxy before Countersign",
    ),
    "unknown_tenant": Cause(
        "The EHR uses an address of a tenant that is not registered",
        "Compare launch URL and redirect URI with the registration sheet.",
        "The vendor's console: launch URL and redirect URI",
    ),
    "unknown_issuer": Cause(
        "The launch's iss is not the registered FHIR base",
        "Register the base letter for letter as the launch carries it.",
        "Registration here: fhir_base",
        seen_by=(Check.ISS_SPELLING,),
    ),
    "ambiguous_issuer": Cause(
        "Several organisations share this EHR, and the launch named none",
        "Enter this organisation's own launch URL.",
        "The vendor's console: launch URL",
        seen_by=(Check.ISS_SPELLING,),
    ),
    "cookies_blocked": Cause(
        "The browser keeps no cookies at all",
        "Allow cookies for Countersign by policy.",
        "The organisation: browser policy",
        seen_by=(Check.COOKIES,),
    ),
    "browser_mismatch": Cause(
        "The browser lost the cookie of the launch",
        "Allow partitioned cookies for Countersign by policy.",
        "The organisation: browser policy",
        seen_by=(Check.COOKIES, Check.PUBLIC_URL),
    ),
    "discovery_failed": Cause(
        "The EHR did not say how it signs users in",
        "Run the doctor while it fails; if it fails now and then, tell the vendor when.",
        _VENDOR,
        seen_by=(Check.DISCOVERY, Check.ADDRESS),
        is_over=True,
    ),
    "discovery_refused": Cause(
        "The EHR's SMART configuration broke a rule or a pin",
        "See the checks of the SMART configuration.",
        _VENDOR,
        seen_by=(Check.CONFIGURATION, Check.ENDPOINTS, Check.ISSUER),
        is_over=True,
    ),
    "proof_unsupported": Cause(
        "The EHR does not take our signature's algorithm",
        "Choose an algorithm that the EHR lists.",
        "Registration here: authentication.algorithm",
        seen_by=(Check.METHODS,),
        is_over=True,
    ),
    "issuer_mismatch": Cause(
        "The answer named another issuer than the EHR's SMART configuration",
        "Ask the vendor which issuer is right; do not launch until it is known.",
        _VENDOR,
        seen_by=(Check.ISSUER,),
    ),
    "authorization_denied": Cause(
        "The EHR ended the sign-in itself",
        "Check that the users who try may use the app, and that the app is switched on for this organisation.",
        "The vendor's console: users and activation",
        seen_by=(Check.CLIENT_ID, Check.REDIRECT_URI, Check.SCOPES_OFFERED),
    ),
    "token_exchange_failed": Cause(
        "The EHR agreed to the sign-in and gave no usable token",
        "See the check of the token endpoint; the trace says what the EHR answered.",
        _VENDOR,
        seen_by=(Check.CLIENT_AUTHENTICATION, Check.CLOCK, Check.METHODS),
    ),
    "identity_unverified": Cause(
        "The EHR's statement of who the user is did not pass the checks",
        "Check clock, keys and issuer below; at some vendors fhirUser needs FHIR version R4 on the app's record.",
        _VENDOR,
        seen_by=(Check.EHR_KEYS, Check.CLOCK, Check.ISSUER),
    ),
    "not_a_clinician": Cause(
        "The user has no provider record in the EHR",
        "Link the EHR user to a provider record, so that fhirUser is a Practitioner.",
        "The EHR: the user's own record",
        is_passing=True,
    ),
    "scope_shortfall": Cause(
        "The EHR granted less than opening a chart needs",
        "Grant the scopes that the registration sheet calls required.",
        "The vendor's console: scopes or APIs of the app",
        seen_by=(Check.SCOPES_GRANTED,),
    ),
    "context_missing": Cause(
        "The EHR did not say which patient or which visit",
        "Let the EHR start the app from a patient's chart with a visit open, and give the app both as context.",
        "The EHR: the launch's own record",
    ),
    "tenant_mismatch": Cause(
        "The token names another organisation than the registration",
        "Compare expected_context with what this organisation's tokens carry.",
        "Registration here: expected_context",
    ),
}


def cause_of(trace: Trace) -> Cause:
    """What the trace's error code means."""
    return CAUSES.get(trace.outcome, UNKNOWN_CAUSE)


def failures_that_count(history: History) -> list[Trace]:
    """The launches that failed after the last one that completed, without people's own slips; newest first."""
    return [trace for trace in history.failed_since if not cause_of(trace).is_passing]
