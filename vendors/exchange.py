"""One exchange with an EHR as its errors name it: what a failure means depends on whether something was written.

Sources: conformance C15 to C17, F09 to F17; requests documents which of its failures are safe to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence

import requests
from requests.exceptions import ConnectTimeout, ReadTimeout, RequestException

from vendors import errors
from vendors.egress import EgressRefused, NotConnected, ResponseTooLarge, ResponseTooSlow
from vendors.outcomes import RETRY_AFTER_UNSAID_SECONDS, Interaction, retry_after_seconds


class Call:
    """One exchange, as the errors name it."""

    def __init__(self, vendor: str, correlation_id: str, interaction: Interaction, resource_type: str) -> None:
        self.interaction = interaction
        self._vendor = vendor
        self._correlation_id = correlation_id
        self._operation = f"{interaction} {resource_type}"

    def failure(
        self,
        leaf: type[errors.VendorError],
        response: requests.Response | None = None,
        codes: Sequence[str] = (),
    ) -> errors.VendorError:
        """Return the leaf for this call, with the answer's status and its Retry-After."""
        wait = retry_after_seconds(response.headers) if response is not None else None
        if wait is None and leaf is errors.Throttled:
            wait = RETRY_AFTER_UNSAID_SECONDS
        return leaf(
            self._vendor,
            self._operation,
            status=response.status_code if response is not None else None,
            issue_codes=codes,
            correlation_id=self._correlation_id,
            retry_after_seconds=wait,
        )

    def unanswered(self, failure: RequestException) -> errors.VendorError:
        """Return what a failed exchange means: certainly not sent, unknown, or a read to try again."""
        codes = (_failure_code(failure),)
        if isinstance(failure, EgressRefused):
            return self.failure(errors.EgressBlocked, codes=codes)
        if not self.interaction.writes:
            return self.failure(errors.Unavailable, codes=codes)
        # requests documents ConnectTimeout, and only it, as safe to repeat; NotConnected is the guard's.
        unsent = isinstance(failure, ConnectTimeout | NotConnected)
        return self.failure(errors.NotSent if unsent else errors.OutcomeUnknown, codes=codes)


_FAILURE_CODES: tuple[tuple[type[RequestException], str], ...] = (
    (EgressRefused, "egress-refused"),
    (ConnectTimeout, "connect-timeout"),
    (NotConnected, "not-connected"),
    (ResponseTooSlow, "too-slow"),
    (ReadTimeout, "read-timeout"),
    (ResponseTooLarge, "too-large"),
    (RequestException, "connection-lost"),
)


def _failure_code(failure: RequestException) -> str:
    return next(code for kind, code in _FAILURE_CODES if isinstance(failure, kind))


def hints(response: requests.Response) -> tuple[str, ...]:
    """Return what a 403 gives away besides its status: Epic's empty body, OAuth's insufficient_scope."""
    if response.status_code != 403:
        return ()
    empty = ("empty-body",) if not response.content.strip() else ()
    challenge = response.headers.get("WWW-Authenticate", "")
    return empty + (("insufficient-scope",) if "insufficient_scope" in challenge else ())
