"""Fetches the EHR's style from pinned hosts only, and keeps it; a launch never fails for its style (A37)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from launch.endpoints import EndpointRefused, pinned_endpoint
from launch.registration import Registration, Sessions
from launch.style import LaunchStyle, read_style
from launch.wire import NoAnswer, fetch

FETCH_SECONDS = 2
# A URL whose content changes must change itself, so an answer is good for ever; what did not come may come later.
RETRY_AFTER = timedelta(minutes=5)
MOST_KEPT = 200


@dataclass(frozen=True)
class _Kept:
    style: LaunchStyle | None
    ask_again_at: datetime | None


class Styles:
    """Fetches styles, and keeps them by address for the life of the process."""

    def __init__(self, session_for: Sessions, now: Callable[[], datetime]) -> None:
        self._session_for = session_for
        self._now = now
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._lock = Lock()

    def read(self, url: object, registration: Registration) -> LaunchStyle | None:
        """Return the style at an address in a token response; None without one, off the pins, or unreadable."""
        try:
            address = pinned_endpoint(
                url, registration.fhir_base, registration.pinned_origins, allow_loopback=registration.allow_loopback
            )
        except EndpointRefused:
            return None
        place = (registration.tenant_id, address)
        with self._lock:
            kept = self._kept.get(place)
        if kept and (kept.ask_again_at is None or self._now() < kept.ask_again_at):
            return kept.style
        style = self._fetched(address, registration)
        with self._lock:
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[place] = _Kept(style, None if style else self._now() + RETRY_AFTER)
        return style

    def _fetched(self, address: str, registration: Registration) -> LaunchStyle | None:
        try:
            answer = fetch(self._session_for(registration), address, {}, seconds=FETCH_SECONDS)
        except NoAnswer:
            return None
        return read_style(answer.document) if answer.status == 200 and answer.document is not None else None
