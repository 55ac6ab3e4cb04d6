"""What the launch doctor looks at, in which order, and which finding is only another one's consequence.

The order is that of causes: what stands first breaks what stands behind it. `follows` names the checks whose failure
explains a failure of this one; an explained failure is shown after its cause and marked as its consequence.
"""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How one check ended. Only `wrong` makes the doctor's answer a no."""

    WRONG = "wrong"
    ADVICE = "advice"
    OPEN = "open"
    FINE = "fine"


class Check(StrEnum):
    """Every check, causes first."""

    REGISTRATION = "registration"
    PUBLIC_URL = "public_url"
    FRAME_ORIGINS = "frame_origins"
    ADDRESS = "address"
    DISCOVERY = "discovery"
    CONFIGURATION = "configuration"
    ENDPOINTS = "endpoints"
    ISSUER = "issuer"
    EHR_KEYS = "ehr_keys"
    CLOCK = "clock"
    OWN_KEYS = "own_keys"
    OWN_PAGES = "own_pages"
    METHODS = "methods"
    CLIENT_ID = "client_id"
    REDIRECT_URI = "redirect_uri"
    SIGN_IN = "sign_in"
    CLIENT_AUTHENTICATION = "client_authentication"
    ISS_SPELLING = "iss_spelling"
    SCOPES_OFFERED = "scopes_offered"
    SCOPES_GRANTED = "scopes_granted"
    WRITE_SCOPE = "write_scope"
    COOKIES = "cookies"
    CAPABILITIES = "capabilities"
    IDENTIFIERS = "identifiers"
    FILED_AT_ONCE = "filed_at_once"
    RECENT_LAUNCHES = "recent_launches"


@dataclass(frozen=True)
class CheckWords:
    """The check as a statement when all is well and when it is not, and what explains its failure."""

    title: str
    failing: str
    follows: tuple[Check, ...] = ()


_REACHED = (Check.REGISTRATION, Check.ADDRESS, Check.DISCOVERY)
_DESCRIBED = (*_REACHED, Check.CONFIGURATION, Check.ENDPOINTS, Check.ISSUER)
_KNOWN = (*_DESCRIBED, Check.PUBLIC_URL, Check.CLOCK, Check.OWN_KEYS, Check.METHODS, Check.CLIENT_ID)
_ANSWERING = (Check.REGISTRATION, Check.PUBLIC_URL)

CHECKS: dict[Check, CheckWords] = {
    Check.REGISTRATION: CheckWords(
        "The registration is complete and its secret can be read", "The registration cannot be used"
    ),
    Check.PUBLIC_URL: CheckWords(
        "Countersign answers at its public address",
        "Countersign's public address is wrong or does not answer",
        (Check.REGISTRATION,),
    ),
    Check.FRAME_ORIGINS: CheckWords(
        "The origins that may frame Countersign are exact", "The origins that may frame Countersign are not exact"
    ),
    Check.ADDRESS: CheckWords(
        "The EHR's hosts can be found, at public addresses", "A host of the EHR cannot be used", (Check.REGISTRATION,)
    ),
    Check.DISCOVERY: CheckWords(
        "The EHR says how it signs users in",
        "The EHR does not say how it signs users in",
        (Check.REGISTRATION, Check.ADDRESS),
    ),
    Check.CONFIGURATION: CheckWords(
        "The EHR's SMART configuration is complete", "The EHR's SMART configuration is incomplete", _REACHED
    ),
    Check.ENDPOINTS: CheckWords(
        "The EHR's endpoints are https, on registered origins",
        "An endpoint of the EHR is not where it may be",
        _REACHED,
    ),
    Check.ISSUER: CheckWords(
        "The EHR's issuer is the registered one", "The EHR's issuer is not the registered one", _REACHED
    ),
    Check.EHR_KEYS: CheckWords(
        "The EHR publishes the keys that it signs users' identity with",
        "The keys that the EHR signs users' identity with cannot be read",
        _DESCRIBED,
    ),
    Check.CLOCK: CheckWords(
        "The clocks of Countersign and the EHR agree", "The clocks of Countersign and the EHR differ", _REACHED
    ),
    Check.OWN_KEYS: CheckWords(
        "Countersign's public key is where the EHR fetches it",
        "Countersign's public key cannot be fetched as it should",
        _ANSWERING,
    ),
    Check.OWN_PAGES: CheckWords(
        "Countersign's pages may be framed by this EHR and nobody else",
        "Countersign's pages arrive with other framing rules than registered",
        (*_ANSWERING, Check.FRAME_ORIGINS),
    ),
    Check.METHODS: CheckWords(
        "The EHR takes the way in which Countersign proves itself",
        "The way in which Countersign proves itself should be another",
        _DESCRIBED,
    ),
    Check.CLIENT_ID: CheckWords("The EHR knows the client id", "The EHR does not know the client id", _DESCRIBED),
    Check.REDIRECT_URI: CheckWords(
        "The EHR knows the redirect URI",
        "The EHR does not know the redirect URI",
        (*_DESCRIBED, Check.PUBLIC_URL, Check.CLIENT_ID),
    ),
    Check.SIGN_IN: CheckWords(
        "The EHR's sign-in can be shown where the launch opens",
        "The EHR's sign-in cannot be shown where the launch opens",
        _DESCRIBED,
    ),
    Check.CLIENT_AUTHENTICATION: CheckWords(
        "The EHR's token endpoint accepts Countersign's proof",
        "The EHR's token endpoint does not accept Countersign's proof",
        _KNOWN,
    ),
    Check.ISS_SPELLING: CheckWords(
        "Launches carry the registered FHIR base as iss",
        "Launches carry another iss than the registered FHIR base",
        (Check.REGISTRATION,),
    ),
    Check.SCOPES_OFFERED: CheckWords(
        "The EHR says that it can grant what is asked for", "The EHR does not offer all that is asked for", _DESCRIBED
    ),
    Check.SCOPES_GRANTED: CheckWords(
        "The last launch was granted what it asked for",
        "The last launch was granted less than it asked for",
        _DESCRIBED,
    ),
    Check.WRITE_SCOPE: CheckWords(
        "Notes can be filed, where the EHR takes them", "Notes can be signed and not filed", _DESCRIBED
    ),
    Check.COOKIES: CheckWords(
        "Browsers keep Countersign's cookie in the chart's frame",
        "Browsers lose Countersign's cookie in the chart's frame",
        (Check.PUBLIC_URL,),
    ),
    Check.CAPABILITIES: CheckWords(
        "The EHR's own statement agrees with its profile here",
        "The EHR's own statement differs from its profile here",
        _REACHED,
    ),
    Check.IDENTIFIERS: CheckWords(
        "The EHR keeps the identifier of what is filed", "The EHR drops our identifier from what is filed"
    ),
    Check.FILED_AT_ONCE: CheckWords(
        "The EHR files what it takes at once", "The EHR takes writes to file them later, and does not say when"
    ),
    Check.RECENT_LAUNCHES: CheckWords("The last launches completed", "The last launches failed"),
}
if list(CHECKS) != list(Check):
    raise TypeError("every check needs its words, in the order of causes")


@dataclass(frozen=True)
class Finding:
    """One check's result: what was found, what is expected, what to change and where.

    `where` names the field: of the vendor's console, of the registration, or of this installation. `may_follow` adds
    to what the check follows anyway; `because_of` is the failed check among them that explains this one.
    """

    check: Check
    outcome: Outcome
    found: str
    expected: str = ""
    change: str = ""
    where: str = ""
    because_of: Check | None = None
    may_follow: tuple[Check, ...] = ()

    @property
    def title(self) -> str:
        """The check in words: what is not as it should be, or what would be so if all were well."""
        words = CHECKS[self.check]
        return words.failing if self.outcome in (Outcome.WRONG, Outcome.ADVICE) else words.title

    @property
    def cause(self) -> str:
        """What has to be put right first; empty where this is nobody's consequence."""
        return CHECKS[self.because_of].failing if self.because_of else ""


def fine(check: Check, found: str) -> Finding:
    """The check found what it should."""
    return Finding(check, Outcome.FINE, found)


def untold(check: Check, found: str, change: str = "") -> Finding:
    """Nothing can be said: there was nothing to look at, or the answer proves nothing."""
    return Finding(check, Outcome.OPEN, found, change=change)


def wrong(check: Check, found: str, *, expected: str, change: str, where: str) -> Finding:
    """Something has to be changed before launches work as they should."""
    return Finding(check, Outcome.WRONG, found, expected, change, where)


def advice(check: Check, found: str, *, expected: str, change: str, where: str) -> Finding:
    """Launches work, and could be better or safer."""
    return Finding(check, Outcome.ADVICE, found, expected, change, where)
