"""What an EHR tells us of its own accord: never believed, only a reason to look again (F31).

A notice may come twice, late, in another order, or dated by another clock. So nothing of what it says is recorded: it
is known by its id and by the hash of what it says, and makes the rows due that it is about.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import delete
from structlog import get_logger

from app.clock import Clock
from app.db import Database, insert_if_absent
from app.errors import BadInput
from app.event_log.canonical import canonical_json, digest
from app.ids import TenantId
from app.reconciliation import followed
from app.reconciliation.tables import notices as table

# How far the sender's clock may be from ours, either way, for a signature to count (F39).
SKEW = timedelta(minutes=5)
# A copy that comes later than this makes a row due once more; that costs one read.
KEPT_FOR = timedelta(days=30)
RESOURCE = r"^[A-Z][A-Za-z]{2,63}/[A-Za-z0-9\-._]{1,255}$"

log = get_logger()


class Notice(BaseModel):
    """What a notice says. Fields that we do not know are the sender's own affair."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
    type: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
    resource: Annotated[str, Field(pattern=RESOURCE)]
    version: Annotated[str, Field(pattern=r"^[!-~]{0,128}$")] = ""
    occurred_at: AwareDatetime

    @property
    def event_hash(self) -> str:
        """The same for every copy of one notice, whatever spaces or order of fields it has."""
        said = [self.id, self.type, self.resource, self.version, self.occurred_at.astimezone(UTC).isoformat()]
        return digest(canonical_json(said))


def is_signed(secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
    """Whether the body is as the sender signed it, just now by a clock that is not far from ours.

    HMAC-SHA256 over the seconds since 1970, a dot and the body: a copy that somebody kept cannot be used for long.
    """
    if not re.fullmatch(r"\d{1,12}", timestamp):
        return False
    expected = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"sha256={expected}".encode(), signature.encode()):
        return False
    return abs(now.timestamp() - int(timestamp)) <= SKEW.total_seconds()


class Notices:
    """Takes notices whose signature was checked."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def take(self, tenant_id: TenantId, body: bytes) -> bool:
        """Look again at what it is about; false for a copy of one that came before. Raises `BadInput`."""
        try:
            notice = Notice.model_validate_json(body)
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the body"
            raise BadInput(f"{field} is not as it must be.", "See /api/v1/openapi.json.") from None
        now = self._clock()
        row = {"tenant_id": tenant_id, "source_id": notice.id, "event_hash": notice.event_hash, "received_at": now}
        with self._database.write() as tx:
            if not insert_if_absent(tx, table, row):
                return False
            is_patient = notice.resource.startswith("Patient/")
            hasten = followed.hasten_chart if is_patient else followed.hasten_resource
            hastened = hasten(tx, tenant_id, notice.resource, now)
        log.info("notice_taken", tenant=tenant_id, count=hastened)
        return True

    def purge(self) -> int:
        """Forget notices that are old; returns how many."""
        with self._database.write() as tx:
            return tx.execute(delete(table).where(table.c.received_at < self._clock() - KEPT_FOR)).rowcount
