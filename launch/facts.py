"""What is known of one launch while it is under way: for the trace that an administrator opens by the short code.

Nothing here is a secret or about a patient: names of scopes, addresses that are registered anyway, and how the
browser behaved. Tokens, codes, `state`, the `launch` value, patients and users never come in.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from flask import g

Step = Literal[
    "launch",  # reading the address that the EHR opened
    "registration",  # finding whose launch it is
    "discovery",  # asking the EHR how it signs users in
    "cookies",  # seeing whether the browser keeps our cookie in this frame
    "authorize",  # the browser was sent to the EHR's sign-in
    "callback",  # reading the EHR's answer, and whether it belongs to a launch of this browser
    "token",  # the code for tokens
    "identity",  # the id_token and fhirUser
    "scopes",  # what was granted
    "context",  # patient, visit, organisation
    "completed",
]
STEPS: tuple[Step, ...] = get_args(Step)
LONGEST_ISSUER = 200


@dataclass(frozen=True)
class LaunchFacts:
    """The launch of this request as far as it came. `None` and empty mean "not known (yet)".

    `flask.g.launch_facts` holds the newest; a request that is no launch has none. `step` is the one that was under
    way: when an error was raised, the one that failed.
    """

    step: Step = "launch"
    kind: Literal["ehr", "standalone"] = "ehr"
    tenant_id: str | None = None
    issuer: str = ""
    is_framed: bool | None = None
    cookie_seen: bool | None = None
    redirect_uri: str = ""
    authorize_method: Literal["GET", "POST", ""] = ""
    authentication: str = ""
    requested_scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] = ()
    has_refresh_token: bool | None = None
    ehr_status: int | None = None
    oauth_error: str = ""

    def document(self) -> dict[str, Any]:
        """The facts that are known, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "", ())}


Note = Callable[..., None]
"""Called with the step that begins and the facts that were learnt; `note` is the one that requests use."""


def note(step: Step, **learnt: Any) -> None:
    """Say which step begins, and what is known by now. Raises `TypeError` for a fact that has no name."""
    learn(step=step, **learnt)


def learn(**learnt: Any) -> None:
    """Add to what is known of this request's launch. Raises `TypeError` for a fact that has no name."""
    g.launch_facts = replace(g.get("launch_facts") or LaunchFacts(), **learnt)


def shown_issuer(issuer: str) -> str:
    """Origin and path of an `iss` that anybody may have sent: printable ASCII, no userinfo, query or fragment."""
    if not issuer.isascii() or not issuer.isprintable():
        return ""
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"[:LONGEST_ISSUER] if parts.scheme and host else ""
