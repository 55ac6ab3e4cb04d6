"""One tenant's log as files that can be verified without Countersign: events, checkpoints, keys, and the verifier.

No clinical text is in it: events hold identifiers, codes and digests. Identifiers of patients, visits and users are.
"""

import json
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from app.event_log import standalone_verifier
from app.event_log.tables import events

EVENTS, CHECKPOINTS, KEYS, VERIFIER = "events.jsonl", "checkpoints.txt", "keys.txt", "verify.py"
READ_AT_ONCE = 1000
NOT_EXPORTED = frozenset({"position", "payload"})


def export(tx: Connection, tenant_id: str, into: Path, checkpoints: str, keys: Iterable[str]) -> int:
    """Write the tenant's whole log into a directory; returns how many events there are, and writes nothing of none.

    Raises `FileExistsError` when one is there already: an export is never mixed with another.
    """
    query = select(events).where(events.c.tenant_id == tenant_id).order_by(events.c.sequence)
    if tx.execute(query.limit(1)).first() is None:
        return 0
    into.mkdir(parents=True)
    written = 0
    with (into / EVENTS).open("w", encoding="utf-8") as file:
        for row in tx.execute(query.execution_options(yield_per=READ_AT_ONCE)).mappings():
            file.write(json.dumps(line_of(dict(row)), sort_keys=True) + "\n")
            written += 1
    (into / CHECKPOINTS).write_text(checkpoints, encoding="utf-8")
    (into / KEYS).write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    shutil.copyfile(standalone_verifier.__file__, into / VERIFIER)
    return written


def line_of(row: dict[str, Any]) -> dict[str, Any]:
    """An event as the export holds it: everything that its hash covers."""
    moment: datetime = row["recorded_at"]
    line = {name: value for name, value in row.items() if name not in NOT_EXPORTED}
    line["recorded_at"] = moment.isoformat(timespec="microseconds")
    line["payload"] = bytes(row["payload"]).decode("utf-8", "surrogateescape")
    return line
