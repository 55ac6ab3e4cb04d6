"""Reading what an authorization endpoint answered to a launch that was never issued.

A server that knows client id and redirect URI sends the browser back with an error; one that does not must show the
error itself (RFC 6749 4.1.2.1). Servers that first ask the user to sign in show a page, and that proves nothing.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qs, urlsplit

from launch.wire import Answer

READ_CHARACTERS = 20_000
REDIRECT_REFUSED = re.compile(
    r"redirect[ _-]?ur[il][^.<]{0,80}(mismatch|invalid|not (?:match|registered|valid|allowed|supported))"
    r"|(mismatch|mismatching|invalid|unregistered|unknown)[^.<]{0,40}redirect[ _-]?ur[il]"
)
CLIENT_REFUSED = re.compile(
    r"invalid[ _]client|unauthorized[ _]client|(unknown|invalid|unregistered) client|client[ _]id"
)


class Verdict(Enum):
    """What the answer proves."""

    KNOWN = auto()  # came back to our redirect URI: the server knows both
    CLIENT_REFUSED = auto()
    REDIRECT_REFUSED = auto()
    SCOPE_REFUSED = auto()
    BROKEN = auto()  # no sign-in endpoint answers like this
    UNPROVEN = auto()


@dataclass(frozen=True)
class SignInAnswer:
    """The verdict, and what was seen in a few words of ours."""

    verdict: Verdict
    seen: str


def read_sign_in(answer: Answer, redirect_uri: str) -> SignInAnswer:
    """Judge one answer. Nothing that the server wrote is repeated."""
    location = answer.headers.get("Location", "")
    if 300 <= answer.status < 400 and location:
        return _sent_on(location, redirect_uri)
    if answer.status in (404, 405, 410, 501) or answer.status >= 500:
        return SignInAnswer(Verdict.BROKEN, f"status {answer.status}")
    if answer.document is not None and "error" in answer.document:
        return _refused(str(answer.document["error"]), str(answer.document.get("error_description", "")), answer.status)
    if answer.status >= 400:
        return _error_page(answer)
    return SignInAnswer(Verdict.UNPROVEN, f"a page (status {answer.status}), most likely the sign-in")


def _sent_on(location: str, redirect_uri: str) -> SignInAnswer:
    place, _, query = location.partition("?")
    if place != redirect_uri:
        return SignInAnswer(Verdict.UNPROVEN, "a redirect to a page of the EHR's, most likely the sign-in")
    error = (parse_qs(query).get("error") or [""])[0]
    if error == "unauthorized_client":
        return SignInAnswer(Verdict.CLIENT_REFUSED, "unauthorized_client, sent to the redirect URI")
    if error == "invalid_scope":
        return SignInAnswer(Verdict.SCOPE_REFUSED, "invalid_scope, sent to the redirect URI")
    return SignInAnswer(Verdict.KNOWN, "a redirect to the registered redirect URI")


def _refused(error: str, description: str, status: int) -> SignInAnswer:
    described = description.lower()
    if error in ("invalid_client", "unauthorized_client"):
        return SignInAnswer(Verdict.CLIENT_REFUSED, f"{error}, status {status}")
    if error == "invalid_scope":
        return SignInAnswer(Verdict.SCOPE_REFUSED, f"invalid_scope, status {status}")
    if "redirect" in described:
        return SignInAnswer(Verdict.REDIRECT_REFUSED, f"an error about the redirect URI, status {status}")
    if "client" in described:
        return SignInAnswer(Verdict.CLIENT_REFUSED, f"an error about the client, status {status}")
    return SignInAnswer(Verdict.UNPROVEN, f"an error that names neither client nor redirect URI, status {status}")


def _error_page(answer: Answer) -> SignInAnswer:
    text = answer.body[:READ_CHARACTERS].decode("utf-8", "replace").lower()
    if REDIRECT_REFUSED.search(text):
        return SignInAnswer(Verdict.REDIRECT_REFUSED, f"an error page about the redirect URI, status {answer.status}")
    if CLIENT_REFUSED.search(text):
        return SignInAnswer(Verdict.CLIENT_REFUSED, f"an error page about the client, status {answer.status}")
    return SignInAnswer(Verdict.UNPROVEN, f"an error page that does not say why, status {answer.status}")


def refuses_frames(answer: Answer, own_origin: str, frame_origins: tuple[str, ...]) -> bool:
    """Whether the browser would refuse to show this page inside the EHR's own (X-Frame-Options, frame-ancestors)."""
    if 300 <= answer.status < 400:
        return False  # a redirect is never shown, so its headers refuse nothing
    found = re.search(r"frame-ancestors ([^;,]*)", answer.headers.get("Content-Security-Policy", ""))
    if found:  # browsers then ignore X-Frame-Options
        return not all(_allows(found[1].split(), one, own_origin) for one in frame_origins)
    option = answer.headers.get("X-Frame-Options", "").strip().upper()
    return option == "DENY" or (option == "SAMEORIGIN" and any(one != own_origin for one in frame_origins))


def _allows(sources: list[str], origin: str, own_origin: str) -> bool:
    parts = urlsplit(origin)
    host = parts.netloc
    wildcards = {f"*.{host.partition('.')[2]}", f"{parts.scheme}://*.{host.partition('.')[2]}"}
    named = {"*", origin, host, f"{parts.scheme}:", *wildcards}
    return bool(named & set(sources)) or ("'self'" in sources and origin == own_origin)
