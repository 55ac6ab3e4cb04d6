"""The few pages that a launch may need on its way; the app renders them, so that this room holds no HTML."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SendByPost:
    """Sends the browser to the EHR's sign-in by a form, because the address would be too long (A13)."""

    action: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True)
class OpenInWindow:
    """Offers to go on in a window of its own, and where it may help to allow the cookie in the frame (E03, E05).

    `continue_url` works once, in a new window or in this frame. `cookie_was_lost` tells the two reasons apart: the
    browser kept no cookie in the frame, or the EHR's sign-in refuses to be framed.
    """

    continue_url: str = field(repr=False)
    cookie_was_lost: bool
    storage_access_may_help: bool


LaunchPage = SendByPost | OpenInWindow

RenderPage = Callable[[LaunchPage], str]
"""How the app turns one of these into HTML."""
