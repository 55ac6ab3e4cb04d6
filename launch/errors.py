"""What can go wrong in a launch, grouped by what the caller must do next.

    LaunchError                 code, status, title, what_happened, what_to_do, detail
    |- MalformedRequest         the EHR's link or answer cannot be read; start again from the chart
    |  `- NoOrganisationNamed       a link without a chart names no organisation
    |- UnknownIssuer            no registration for this EHR; the administrator registers it
    |- AmbiguousIssuer          several organisations share this EHR; the administrator names one in the launch URL
    |- UnknownTenant            no registration under this address
    |- HandleRefused            a one-time link was used before, or is too old; start again
    |- CookiesBlocked           the browser keeps no cookie even in a window of its own; the person allows it
    |- DiscoveryFailed          the EHR's SMART configuration did not come; try again later
    |- DiscoveryRefused         it came and breaks a rule or a pin; the administrator looks at it
    |  `- ProofUnsupported          the EHR does not take the way in which we prove ourselves
    |- StateRefused             the answer is not to a launch that is open here; start again
    |  |- BrowserMismatch           the browser that answers is not the one that asked
    |  `- LaunchExpired             the clinician took too long
    |- IssuerMismatch           another authorization server answered (RFC 9207)
    |- AuthorizationDenied      the EHR refused; `oauth_error` says which refusal
    |- TokenExchangeFailed      the EHR gave no usable token; `oauth_error` where it said one
    |- IdentityUnverified       the EHR's statement of who the user is cannot be trusted
    |  `- KeysUnavailable           the keys to check it with could not be fetched; try again later
    |- NotAClinician            the user may not sign notes
    |- ScopeShortfall           the EHR granted too little to open a chart
    |- ContextMissing           no patient, or no visit where one is needed
    `- TenantMismatch           the EHR speaks for another organisation than the one registered

The texts are ours, in plain words, and hold nothing that a browser or a server sent. `detail` is for the
administrator: also only words of ours, so that it can be logged and shown.
"""

RESTART = "Go back to the patient's chart and start Countersign again from there."
ASK_ADMINISTRATOR = "If it happens again, give the code below to your administrator."


class LaunchError(Exception):
    """Root of the tree."""

    code = "launch_failed"
    status = 400
    title = "Countersign could not start"
    what_happened = "The launch from the chart did not complete. Nothing was changed in the chart."
    what_to_do: tuple[str, ...] = (RESTART, ASK_ADMINISTRATOR)

    oauth_error = ""

    def __init__(self, detail: str = "", ehr_status: int | None = None) -> None:
        super().__init__(f"{self.code}: {detail}" if detail else self.code)
        self.detail = detail
        self.ehr_status = ehr_status


class MalformedRequest(LaunchError):
    """A parameter is missing, repeated, too long or undecodable. Nothing was sent anywhere."""

    code = "malformed_request"
    title = "This link is not a complete launch"
    what_happened = "The address that opened Countersign lacks something that an EHR sends, or holds it twice."
    what_to_do: tuple[str, ...] = (
        "Open the patient's chart and start Countersign from there; a bookmark does not work.",
        "If you did start it from the chart, give the code below to your administrator.",
        "For the administrator: the EHR must start it as a SMART on FHIR launch, with iss and launch.",
    )


class NoOrganisationNamed(MalformedRequest):
    """A launch without a chart names neither a tenant nor an EHR (conformance A12)."""

    code = "no_organisation_named"
    title = "This link does not say which organisation"
    what_happened = "Countersign was opened without a chart, by a link that names no organisation."
    what_to_do = (
        "Open the patient's chart and start Countersign from there.",
        "Or use the link that your administrator gave you; it ends in the name of your organisation.",
    )


class UnknownIssuer(LaunchError):
    """The `iss` belongs to no registered tenant; no request was made to it (conformance A08)."""

    code, status = "unknown_issuer", 403
    title = "This EHR is not registered with Countersign"
    what_happened = "The launch came from an EHR address that no organisation has registered here."
    what_to_do = (
        "Ask your administrator to register this EHR.",
        "For the administrator: the registered FHIR base URL must be the launch's iss, letter for letter.",
    )


class AmbiguousIssuer(LaunchError):
    """Several tenants share this FHIR base, so `iss` does not say whose launch it is."""

    code, status = "ambiguous_issuer", 403
    title = "This EHR serves several organisations"
    what_happened = "The launch came from an EHR that several organisations share, and did not say which one is yours."
    what_to_do = (
        "Give the code below to your administrator; trying again will not help.",
        "For the administrator: enter in the EHR the launch URL of your own organisation, /launch/<tenant id>.",
    )


class UnknownTenant(LaunchError):
    """No registration answers to this address."""

    code, status = "unknown_tenant", 404
    title = "This address is not in use"
    what_happened = "This address belongs to no organisation that is registered here."
    what_to_do = (
        "Ask your administrator to compare the launch URL and the redirect URI in the EHR with the registration sheet.",
    )


class HandleRefused(LaunchError):
    """A one-time handle is unknown, used up, too old, or for a registration that changed (E04). Never prints it."""

    code = "handle_refused"
    title = "This link is not open any more"
    what_happened = (
        "A link like this works once and for ten minutes. It was used before, it is too old, or your organisation's "
        "settings were changed meanwhile."
    )
    what_to_do: tuple[str, ...] = (RESTART,)


class CookiesBlocked(LaunchError):
    """The browser keeps no cookie of ours even in a window of its own: the end of the ladder (conformance E03)."""

    code = "cookies_blocked"
    title = "This browser keeps no cookies"
    what_happened = (
        "Countersign needs a cookie to know that the EHR's answer is for you. This browser did not keep one, not even "
        "in a window of its own."
    )
    what_to_do = (
        "Allow cookies for Countersign in the browser's settings, then start again from the patient's chart.",
        "If you cannot change that setting, give the code below to your administrator.",
    )


class DiscoveryFailed(LaunchError):
    """No usable SMART configuration could be fetched, and no stale copy is at hand (conformance A07)."""

    code, status = "discovery_failed", 502
    title = "The EHR could not be reached"
    what_happened = "The EHR did not answer when Countersign asked how to sign in. Nothing was changed in the chart."
    what_to_do = ("Wait a minute, then start Countersign again from the patient's chart.", ASK_ADMINISTRATOR)


class DiscoveryRefused(LaunchError):
    """The SMART configuration lacks a required member or points outside the tenant's pins (A03, A04, A06)."""

    code, status = "discovery_refused", 502
    title = "The EHR's sign-in settings were not accepted"
    what_happened = "The EHR describes its sign-in in a way that does not match what your organisation registered."
    what_to_do: tuple[str, ...] = (
        "Give the code below to your administrator; trying again will not help.",
        "For the administrator: compare the EHR's SMART configuration with the registration.",
    )


class ProofUnsupported(DiscoveryRefused):
    """The server lists no way to prove ourselves that the registration has (conformance A56)."""

    code = "proof_unsupported"
    title = "The EHR does not take Countersign's signature"
    what_happened = "The EHR accepts other signatures than the one that Countersign is registered with."
    what_to_do = (
        "Give the code below to your administrator; trying again will not help.",
        "For the administrator: choose in the registration an algorithm that the EHR lists, RS384 or ES384.",
    )


class StateRefused(LaunchError):
    """The `state` is unknown, used up, or begun with another registration (conformance A17). Never prints it."""

    code = "state_refused"
    title = "This sign-in is not open any more"
    what_happened = "The EHR's answer belongs to no launch that is open here. It may have been used already."
    what_to_do: tuple[str, ...] = (RESTART, "Do not use the browser's back button during sign-in.")


class BrowserMismatch(StateRefused):
    """The cookie that binds the launch to its browser is absent or another one (conformance A17, E03)."""

    code = "browser_mismatch"
    title = "The browser did not keep the sign-in cookie"
    what_happened = "The EHR's answer arrived without the cookie that Countersign set when the launch began."
    what_to_do = (
        RESTART,
        "If it happens again, ask your administrator to allow partitioned cookies for Countersign.",
    )


class LaunchExpired(StateRefused):
    """The launch is older than its time limit."""

    code = "launch_expired"
    title = "The sign-in took too long"
    what_happened = "A launch must be completed within ten minutes, and this one was not."
    what_to_do = (RESTART,)


class IssuerMismatch(LaunchError):
    """RFC 9207: the `iss` of the authorization response is absent or not the server that was asked."""

    code = "issuer_mismatch"
    title = "Another server answered"
    what_happened = "The answer did not come from the sign-in server that was asked, so it was not used."


class AuthorizationDenied(LaunchError):
    """An RFC 6749 4.1.2.1 error response. `oauth_error` is a code of that section, or "unrecognised"."""

    code, status = "authorization_denied", 403
    title = "The EHR did not allow Countersign to open"
    what_happened = "The EHR ended the sign-in without granting access."

    def __init__(self, oauth_error: str, what_happened: str, what_to_do: str) -> None:
        super().__init__(f"authorization error {oauth_error}")
        self.oauth_error, self.what_happened = oauth_error, what_happened
        self.what_to_do = (what_to_do, ASK_ADMINISTRATOR)


class TokenExchangeFailed(LaunchError):
    """The token endpoint gave no usable token. `oauth_error` is an RFC 6749 5.2 code, or empty."""

    code, status = "token_exchange_failed", 502
    title = "The EHR did not complete the sign-in"
    what_happened = "The EHR agreed to the sign-in and then did not hand over access. Nothing was changed in the chart."

    def __init__(self, detail: str, oauth_error: str = "", ehr_status: int | None = None) -> None:
        super().__init__(detail, ehr_status)
        self.oauth_error = oauth_error


class IdentityUnverified(LaunchError):
    """The id_token is absent, forged, stale or not meant for us (OIDC Core 3.1.3.7; A40 to A44)."""

    code, status = "identity_unverified", 403
    title = "The EHR could not prove who you are"
    what_happened = "The EHR's statement about the signed-in user did not pass the checks, so nothing was opened."


class KeysUnavailable(IdentityUnverified):
    """The keys to check an id_token with could not be had, and no stale copy is at hand."""


class NotAClinician(LaunchError):
    """The verified user is no Practitioner and so may not sign notes (conformance A44)."""

    code, status = "not_a_clinician", 403
    title = "Countersign is for clinicians"
    what_happened = "The EHR signed you in as someone who is not a clinician, and only clinicians can sign notes."
    what_to_do = (
        "Sign in to the EHR with your clinician account and start again from the chart.",
        "For the administrator: link the EHR user to a provider record (fhirUser must be a Practitioner).",
    )


class ScopeShortfall(LaunchError):
    """What was granted does not cover what opening a chart needs. `missing` holds registered scopes."""

    code, status = "scope_shortfall", 403
    title = "The EHR granted too little access"
    what_happened = "The EHR let Countersign start, but without permission to read what a review needs."

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(f"not granted: {' '.join(missing)}")
        self.missing = missing
        self.what_to_do = (f"Ask your administrator to grant in the EHR: {', '.join(missing)}.",)


class ContextMissing(LaunchError):
    """The token response lacks `patient` or `encounter` (conformance A33)."""

    code = "context_missing"

    def __init__(self, missing: str, what_happened: str, what_to_do: str) -> None:
        super().__init__(f"no {missing} in the launch context")
        self.missing, self.what_happened = missing, what_happened
        self.title = f"The EHR did not say which {missing}"
        self.what_to_do = (what_to_do, ASK_ADMINISTRATOR)


class TenantMismatch(LaunchError):
    """The token response names another organisation than the registration (conformance A38)."""

    code, status = "tenant_mismatch", 403
    title = "The EHR speaks for another organisation"
    what_happened = "This EHR serves several organisations, and the launch came from one that is not registered here."
    what_to_do = ("Ask your administrator to compare the practice in the EHR with the registration.",)
