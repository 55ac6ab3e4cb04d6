"""Whether we are what the EHR and its users' browsers need: address, framing, keys, clock (A57, A59, E02, E06)."""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from app.onboarding.case import PUBLIC_URL_SETTING, Case
from app.onboarding.checks_discovery import NOT_ASKED
from app.onboarding.finding import Check, Finding, fine, untold, wrong
from app.onboarding.probes import Heard
from launch.keys import KEY_SET_SECONDS
from launch.registration import PrivateKeyJWT
from vendors.pinning import is_loopback_name

# An assertion lives for 90 seconds and id_tokens for a few minutes; half a minute off is still harmless.
CLOCK_SECONDS = 30
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
LONGEST_KEPT_SECONDS = 24 * 3600


def check_public_url(case: Case) -> Finding:
    """Our own address is an https origin (or loopback), and something of ours answers there (E02)."""
    origin = case.addresses.app_origin
    parts = urlsplit(origin)
    expected = "https://host, without path and without a slash at the end; http only for localhost"
    if not ORIGIN.fullmatch(origin) or (parts.scheme == "http" and not is_loopback_name(parts.hostname or "")):
        return wrong(
            Check.PUBLIC_URL,
            f"It is set to {origin}.",
            expected=expected,
            change="Set it to the origin that browsers reach Countersign under; redirect URI and cookies depend on it.",
            where=PUBLIC_URL_SETTING,
        )
    heard = case.observed.own_keys
    if heard is None or heard.answer is None or heard.answer.status >= 500:
        return wrong(
            Check.PUBLIC_URL,
            f"{origin} {_no_answer(heard)}.",
            expected="Countersign itself answers there, from the internet too",
            change="Start the web process, or correct the address, the proxy in front of it, or its certificate.",
            where=PUBLIC_URL_SETTING,
        )
    return fine(Check.PUBLIC_URL, origin)


def _no_answer(heard: Heard | None) -> str:
    if heard is None or heard.answer is None:
        return f"did not answer: {heard.why}" if heard else "was not asked"
    return f"answered with status {heard.answer.status}"


def check_frame_origins(case: Case) -> Finding:
    """Those who may frame us are exact origins: no wildcard, no path (E06)."""
    origins = case.tenant.frame_origins
    secure = [one for one in origins if one.startswith("https://") or is_loopback_name(urlsplit(one).hostname or "")]
    odd = [one for one in origins if not ORIGIN.fullmatch(one) or one not in secure]
    if origins and not odd:
        return fine(Check.FRAME_ORIGINS, ", ".join(origins))
    return wrong(
        Check.FRAME_ORIGINS,
        f"{odd[0]} is not an exact origin."
        if odd
        else "None is registered, so no EHR can show Countersign in a frame.",
        expected="https://host of the EHR's own pages, each by itself; no *, no path",
        change="Write the origin of the page that frames Countersign; the browser's console names it when it refuses.",
        where=case.ours("frame_origins"),
    )


def check_own_keys(case: Case) -> Finding:
    """Our key set as the EHR would fetch it: our signing key is in it, nothing private is, and it may be kept (A59)."""
    signer, heard = case.registration.authentication, case.observed.own_keys
    if not isinstance(signer, PrivateKeyJWT):
        return fine(Check.OWN_KEYS, "Not needed: this tenant does not authenticate by key")
    if heard is None or heard.answer is None:
        return untold(Check.OWN_KEYS, NOT_ASKED)
    listed = _listed(heard.answer.document)
    problem = _key_set_problem(heard, listed, signer.key_id)
    if not problem:
        return fine(Check.OWN_KEYS, f"Published: {len(listed)}; {signer.key_id} signs")
    return wrong(
        Check.OWN_KEYS,
        problem,
        expected=f"Status 200, a JWK Set with the key {signer.key_id}, and Cache-Control: max-age={KEY_SET_SECONDS}",
        change="A proxy answers in Countersign's place, or another database is used there: let this address through.",
        where=f"This installation: {case.addresses.jwks_url}",
    )


def _key_set_problem(heard: Heard, listed: list[dict[str, Any]], key_id: str) -> str:
    answer = heard.answer
    if answer is None or answer.status != 200 or not listed:
        return f"Status {answer.status if answer else 0}, and no key in it."
    if any(PRIVATE_MEMBERS & key.keys() for key in listed):
        return "It shows a private member of a key. Take it off the network and rotate the keys."
    if key_id not in [key.get("kid") for key in listed]:
        return f"The key that signs, {key_id}, is not in it."
    kept = re.search(r"max-age=(\d+)", answer.headers.get("Cache-Control", ""))
    if kept is None or int(kept[1]) > LONGEST_KEPT_SECONDS:
        return "Its Cache-Control does not say that a copy ends within a day, so a rotation could break launches."
    return ""


def check_own_pages(case: Case) -> Finding:
    """An error page of this tenant, as served, may be framed by the registered origins and nobody else (E06)."""
    heard = case.observed.own_page
    answer = heard.answer if heard else None
    if answer is None:
        return untold(Check.OWN_PAGES, NOT_ASKED)
    policy = answer.headers.get("Content-Security-Policy", "")
    found = re.search(r"frame-ancestors ([^;]*)", policy)
    allowed = set(found[1].split()) if found else set()
    if "X-Frame-Options" not in answer.headers and allowed == set(case.tenant.frame_origins):
        return fine(Check.OWN_PAGES, f"frame-ancestors {' '.join(sorted(allowed))}")
    said = f"frame-ancestors {' '.join(sorted(allowed))}" if found else "no frame-ancestors"
    extra = " and X-Frame-Options" if "X-Frame-Options" in answer.headers else ""
    return wrong(
        Check.OWN_PAGES,
        f"Our pages arrive with {said}{extra}.",
        expected=f"frame-ancestors {' '.join(case.tenant.frame_origins)}, and no X-Frame-Options",
        change="Let the proxy in front of Countersign pass its headers on unchanged and add none.",
        where="This installation: the proxy in front of Countersign",
    )


def check_clock(case: Case) -> Finding:
    """Our clock against the Date of the EHR's answers (A57)."""
    ahead = [seconds for heard in case.observed.from_ehr() if (seconds := _seconds_ahead(heard)) is not None]
    if not ahead:
        return untold(Check.CLOCK, "The EHR's answers carry no time.")
    off = round(median(ahead))
    if abs(off) <= CLOCK_SECONDS:
        return fine(Check.CLOCK, f"{len(ahead)} answers within {CLOCK_SECONDS} seconds of this server's clock")
    side = "ahead of" if off > 0 else "behind"
    return wrong(
        Check.CLOCK,
        f"This server is {_long(abs(off))} {side} the EHR, by {len(ahead)} of its answers.",
        expected=f"At most {CLOCK_SECONDS} seconds; signed proofs and identity tokens live for minutes",
        change="Compare this server's clock with a time service first (timedatectl). If it is right, tell the vendor.",
        where="This installation: the clock of the server; else the EHR's",
    )


def _seconds_ahead(heard: Heard) -> float | None:
    answer = heard.answer
    try:
        theirs: datetime = parsedate_to_datetime(answer.headers["Date"]) if answer else heard.heard_at
    except (KeyError, ValueError):
        return None
    # Date is cut to whole seconds, so half a second is added; ours is the middle of question and answer.
    ours = heard.sent_at + (heard.heard_at - heard.sent_at) / 2
    return (ours - theirs).total_seconds() - 0.5 if theirs.tzinfo else None


def _long(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{round(seconds / 60)} minutes"


def _listed(document: dict[str, Any] | None) -> list[dict[str, Any]]:
    keys = document.get("keys") if document else None
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
