"""What can go wrong with an EHR, grouped by what the caller must do next.

VendorError (vendor, operation, status, issue codes, correlation id; no body, no PHI)
|- Unsupported      the profile says no; nothing was sent          -> refuse, say so
|- NotSent          certainly not applied: no connection           -> retry with backoff
|  `- EgressBlocked our own guard refused the address              -> page the operator
|- Throttled        429, 423: not applied, come back later         -> retry after that time
|- TokenNotRenewed  401, and no new token just now: not applied     -> retry with backoff
|- Rejected         the EHR read it and said no                    -> park for a person
|  |- InvalidResource  400, 413, 415, 422, or our own check        -> a new version of the note
|  |- TokenRefused     401                                         -> refresh once, then sign in again
|  |- NotAuthorized    403                                         -> an administrator or the user's rights
|  |- NotFound         404, 410 on a read, update or patch         -> it is not in the chart
|  `- VersionConflict  409, 412; for a patch also 400, 422         -> re-read, then decide
|- OutcomeUnknown   sent, and no trustworthy answer                -> NEVER resend; reconcile first
`- Unavailable      a read failed; nothing has changed             -> try again later
"""

from __future__ import annotations

from collections.abc import Iterable


class VendorError(Exception):
    """An exchange with an EHR did not do what was asked; carries codes only, never a body."""

    def __init__(
        self,
        vendor: str,
        operation: str,
        *,
        status: int | None = None,
        issue_codes: Iterable[str] = (),
        correlation_id: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        self.vendor = vendor
        self.operation = operation
        self.status = status
        self.issue_codes = tuple(issue_codes)
        self.correlation_id = correlation_id
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self._summary())

    def _summary(self) -> str:
        answer = f"HTTP {self.status}" if self.status is not None else "no answer"
        codes = f" ({', '.join(self.issue_codes)})" if self.issue_codes else ""
        return f"{self.vendor}: {self.operation}: {answer}{codes}"


class Unsupported(VendorError):
    """The vendor's profile does not say that this works; nothing was sent."""


class NotSent(VendorError):
    """No connection was made, so the request was certainly not applied."""


class EgressBlocked(NotSent):
    """Our own outbound guard refused the address before any byte left."""


class Throttled(VendorError):
    """The EHR did not apply it and asks to come back after `retry_after_seconds`."""


class TokenNotRenewed(VendorError):
    """The access token is not accepted (401), and whether another can be had is not known yet."""


class Rejected(VendorError):
    """The EHR read the request and said no."""


class InvalidResource(Rejected):
    """The content is refused, by the EHR or by our own check before sending."""


class TokenRefused(Rejected):
    """The access token is not accepted (401)."""


class NotAuthorized(Rejected):
    """The token is good, the right is missing (403)."""


class NotFound(Rejected):
    """The resource that was to be read or changed is not there (404, 410)."""


class VersionConflict(Rejected):
    """Another version or a duplicate stands in the way (409, 412), or the test of a patch failed (400, 422)."""


class OutcomeUnknown(VendorError):
    """Bytes left and no trustworthy answer came back: reconcile, never resend."""


class Unavailable(VendorError):
    """A read got no usable answer; nothing has changed in the EHR."""
