"""The access token that a transport carries, and how it is replaced once when an EHR refuses it (conformance A67)."""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Lock

_TOKEN = re.compile(r"[\x21-\x7e]+\Z")

Renew = Callable[[str], str | None]
"""Given the token that was refused: the one to use instead, or None when its user must sign in again.

Raises `NotRenewedNow` when that cannot be known yet.
"""


class NotRenewedNow(Exception):
    """No new token could be had just now; nothing is wrong with the user's grant."""


class BearerToken:
    """One user's access token. Never shown; threads of one chart share it."""

    def __init__(self, value: str, renew: Renew | None) -> None:
        if not _TOKEN.match(value):
            raise ValueError("the access token holds characters that a header cannot carry")
        self.value = value
        self._renew = renew
        self._lock = Lock()

    def renew(self, refused: str = "") -> bool:
        """Put another token in the place of the refused one; false when there is none to be had.

        Once in its life: a token that is refused right after it was renewed is refused for another reason. Raises
        `NotRenewedNow`.
        """
        with self._lock:
            if refused and refused != self.value:
                return True  # another thread's request was refused first
            if self._renew is None:
                return False
            renew, self._renew = self._renew, None
            renewed = renew(self.value)
            self.value = renewed or self.value
            return renewed is not None
