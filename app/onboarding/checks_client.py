"""Whether the EHR knows us: how we prove ourselves, client id, redirect URI, proof (A15, A24, A54, A56, A58)."""

from collections.abc import Callable

from app.onboarding.case import Case
from app.onboarding.checks_discovery import NOT_ASKED
from app.onboarding.finding import Check, Finding, advice, fine, untold, wrong
from app.onboarding.sign_in_answer import SignInAnswer, Verdict, read_sign_in, refuses_frames
from launch.client_authentication import algorithm_for, authentication_advice, method_of
from launch.endpoints import origin_of
from launch.registration import PrivateKeyJWT, PublicClient
from launch.token_endpoint import oauth_error

SEND_TEXT = "Only the EHR's vendor can: send them the text below."
# An EHR that asks users to sign in before it looks at the request answers the same whatever is registered.
PROVES_NOTHING = "That proves nothing about it; only a real launch does. Compare it with the registration sheet."


def check_methods(case: Case) -> Finding:
    """Our method and algorithm are among those that the EHR lists; by key where it takes one (A54, A56)."""
    metadata, ours = case.observed.metadata, case.registration.authentication
    if metadata is None:
        return untold(Check.METHODS, NOT_ASKED)
    methods, method = metadata.authentication_methods, method_of(ours)
    algorithms, who = metadata.assertion_algorithms, "the EHR lists"
    if algorithms is None:  # some EHRs do not say; then what they are documented to take stands
        algorithms = frozenset[str](case.profile.assertion_algorithms.value)
        who = f"{case.profile.title} is documented to take"
    if isinstance(ours, PrivateKeyJWT) and ours.algorithm not in algorithms:
        takes = algorithm_for(algorithms)
        return wrong(
            Check.METHODS,
            f"Countersign signs with {ours.algorithm}; {who} {_listed(algorithms)}.",
            expected=takes or "RS384 or ES384, one of which every SMART server must take",
            change=f"Write {takes} there and send the EHR the new key." if takes else SEND_TEXT,
            where=case.ours("authentication.algorithm") if takes else f"{case.profile.title}: token endpoint",
        )
    if methods is not None and method not in methods:
        says = wrong if _client_refused(case) else advice
        return says(
            Check.METHODS,
            f"The registration uses {method}; the EHR lists {_listed(methods)}.",
            expected="One of those that the EHR lists; some EHRs list less than they take",
            change="Register Countersign by a method that the EHR lists, there and here.",
            where=f"{case.theirs('authentication')}; {case.ours('authentication.method')}",
        )
    if improved := authentication_advice(ours, metadata):
        return advice(
            Check.METHODS,
            f"The registration uses {method}, which the EHR takes.",
            expected="private_key_jwt, where the EHR takes it",
            change=improved,
            where=f"{case.theirs('authentication')}; {case.ours('authentication.method')}",
        )
    return fine(Check.METHODS, method + (f" with {ours.algorithm}" if isinstance(ours, PrivateKeyJWT) else ""))


def check_client_id(case: Case) -> Finding:
    """The authorization endpoint knows the client id."""
    return _by_sign_in(
        case,
        Check.CLIENT_ID,
        {
            Verdict.KNOWN: True,
            Verdict.SCOPE_REFUSED: True,
            Verdict.REDIRECT_REFUSED: True,
            Verdict.CLIENT_REFUSED: False,
        },
        lambda seen: wrong(
            Check.CLIENT_ID,
            f"The EHR does not accept the client id {case.tenant.client_id}: {seen}.",
            expected=f"The client id of this environment ({case.tenant.environment})",
            change="Compare it with the app's record; production and test have different ones, and a new record may "
            "take an hour to arrive.",
            where=case.ours("client_id"),
        ),
    )


def check_redirect_uri(case: Case) -> Finding:
    """The authorization endpoint knows the redirect URI, letter by letter (A15)."""
    said = _signed(case)
    if said and said.verdict is Verdict.CLIENT_REFUSED:
        return untold(Check.REDIRECT_URI, "The EHR stopped at the client id and did not look at it.")
    return _by_sign_in(
        case,
        Check.REDIRECT_URI,
        {Verdict.KNOWN: True, Verdict.SCOPE_REFUSED: True, Verdict.REDIRECT_REFUSED: False},
        lambda seen: wrong(
            Check.REDIRECT_URI,
            f"The EHR does not know our redirect URI: {seen}.",
            expected=case.registration.redirect_uri,
            change="Enter exactly this: letter case, http or https, port, and no slash at the end. It differs for "
            "each organisation.",
            where=case.theirs("redirect_uri"),
        ),
    )


def check_sign_in(case: Case) -> Finding:
    """The sign-in endpoint answers, and what it shows may be shown where the launch opens (E05)."""
    heard, metadata = case.observed.authorize, case.observed.metadata
    if heard is None or metadata is None:
        return untold(Check.SIGN_IN, NOT_ASKED)
    if heard.answer is None:
        return _no_endpoint(case, Check.SIGN_IN, "authorization_endpoint", f"did not answer: {heard.why}")
    if (said := _signed(case)) and said.verdict is Verdict.BROKEN:
        return _no_endpoint(case, Check.SIGN_IN, "authorization_endpoint", f"answered with {said.seen}")
    if case.registration.sign_in == "top_window":
        return fine(Check.SIGN_IN, "The launch opens a window of its own for it")
    own = origin_of(metadata.authorization_endpoint, allow_loopback=case.registration.allow_loopback)
    if not refuses_frames(heard.answer, own, case.tenant.frame_origins):
        return fine(Check.SIGN_IN, "What it answered does not refuse to be framed")
    return wrong(
        Check.SIGN_IN,
        "The EHR's sign-in refuses to be shown in a frame, so clinicians would see an empty or broken one.",
        expected="sign_in: top_window, which opens the sign-in in a window of its own",
        change="Write sign_in: top_window, or let the vendor allow framing by the chart's own origin.",
        where=case.ours("sign_in"),
    )


def check_client_authentication(case: Case) -> Finding:
    """The token endpoint takes our proof and then refuses a code that was never issued (A24, A55, A62)."""
    heard = case.observed.token
    if heard is None:
        return untold(Check.CLIENT_AUTHENTICATION, NOT_ASKED)
    if heard.answer is None:
        return _no_endpoint(case, Check.CLIENT_AUTHENTICATION, "token_endpoint", f"did not answer: {heard.why}")
    error = oauth_error(heard.answer)
    if error == "invalid_grant":
        return fine(Check.CLIENT_AUTHENTICATION, "invalid_grant for a code that was never issued: the proof was taken")
    if error == "invalid_client" or (not error and heard.answer.status == 401):
        return _refused_proof(case, heard.answer.status)
    if error in ("unauthorized_client", "access_denied", "unsupported_grant_type"):
        return wrong(
            Check.CLIENT_AUTHENTICATION,
            f"{error}: the EHR knows the client and does not let it use the authorization code.",
            expected="A client for users' sign-in (authorization code), not one for systems (client credentials)",
            change="Register an app of the kind that signs users in; one client cannot be both at some vendors.",
            where=f"{case.profile.title}: the app's registration",
        )
    if error:
        return untold(
            Check.CLIENT_AUTHENTICATION, f"{error}: the EHR refused before it looked at the proof.", PROVES_NOTHING
        )
    return _no_endpoint(
        case,
        Check.CLIENT_AUTHENTICATION,
        "token_endpoint",
        f"answered with status {heard.answer.status} and no OAuth error",
    )


def _refused_proof(case: Case, status: int) -> Finding:
    expected, change, where = _proof_words(case)
    return wrong(
        Check.CLIENT_AUTHENTICATION,
        f"invalid_client (status {status}): the EHR does not accept Countersign's proof.",
        expected=expected,
        change=change,
        where=where,
    )


def _proof_words(case: Case) -> tuple[str, str, str]:
    match case.registration.authentication:
        case PrivateKeyJWT() as signer:
            return (
                f"A signature with {signer.algorithm} by the key {signer.key_id}, found at {case.addresses.jwks_url}",
                (
                    "Check that the EHR has the app authenticate by key (private_key_jwt), that this JWKS URL is "
                    "entered there, and that the EHR can reach it; some EHRs keep what they read for a day."
                ),
                case.theirs("jwks_url"),
            )
        case PublicClient():
            return (
                "A public client",
                "The EHR has Countersign as a confidential client: register it here by key or secret.",
                case.ours("authentication.method"),
            )
        case _:
            return (
                "The client secret of this app, sent by HTTP Basic (client_secret_basic)",
                (
                    "Compare the secret that the registration refers to with the app's; a new one replaces the old at "
                    "once. The EHR must have the app authenticate by secret."
                ),
                f"{case.ours('authentication.secret')}; {case.theirs('authentication')}",
            )


def _by_sign_in(case: Case, check: Check, proven: dict[Verdict, bool], failed: Callable[[str], Finding]) -> Finding:
    said = _signed(case)
    if said is None:
        return untold(check, NOT_ASKED)
    if said.verdict not in proven:
        return untold(check, f"The EHR answered with {said.seen}.", PROVES_NOTHING)
    return fine(check, f"The EHR answered with {said.seen}") if proven[said.verdict] else failed(said.seen)


def _signed(case: Case) -> SignInAnswer | None:
    heard = case.observed.authorize
    return read_sign_in(heard.answer, case.registration.redirect_uri) if heard and heard.answer else None


def _client_refused(case: Case) -> bool:
    heard = case.observed.token
    return bool(heard and heard.answer and oauth_error(heard.answer) == "invalid_client")


def _no_endpoint(case: Case, check: Check, member: str, what: str) -> Finding:
    return wrong(
        check,
        f"The {member} {what}.",
        expected="An OAuth 2.0 answer: for a request that cannot succeed, an error of RFC 6749",
        change=SEND_TEXT,
        where=f"{case.profile.title}: {member}",
    )


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(value for value in values if value.isprintable() and len(value) < 60)) or "none"
