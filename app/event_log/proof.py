"""The proof that one event stands in a log: the event, the way from it to the tree's root, and a signed checkpoint.

Nothing else of the log is in it. Whoever gets it needs no Countersign, only a key that was kept elsewhere: the verifier
lies beside it (RFC 6962, section 2.1.1; conformance E41).
"""

import base64
import json
import shutil
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from app.errors import Corrupt, NotFound
from app.event_log import standalone_verifier
from app.event_log.checkpoint import Checkpoint, Verifiers, notes_in
from app.event_log.checkpoints import leaves, origin_of
from app.event_log.export import KEYS, VERIFIER, line_of
from app.event_log.tables import events
from app.event_log.tree import Tree, beside

PROOF = "proof.json"


def prove(tx: Connection, tenant_id: str, sequence: int, kept: str, keys: Iterable[str]) -> dict[str, Any]:
    """The proof of one event under the newest checkpoint; `kept` is the text of the tenant's checkpoints.

    Raises `NotFound` where there is no such event or no checkpoint of so many, and `Corrupt` when the log is not the
    one that the checkpoint was signed for.
    """
    query = select(events).where(events.c.tenant_id == tenant_id, events.c.sequence == sequence)
    event = tx.execute(query).mappings().one_or_none()
    if event is None:
        raise NotFound("There is no such event in this tenant's log.")
    note, checkpoint = _newest(kept, Verifiers(keys), origin_of(tenant_id))
    if checkpoint is None or checkpoint.tree.size < sequence:
        raise NotFound("No checkpoint covers this event.", "Ask again after the next one.")
    hashes = list(islice(leaves(tx, tenant_id, after=0), checkpoint.tree.size))
    if _grown(hashes) != checkpoint.tree:
        raise Corrupt("The log is not the one that the checkpoint was signed for.")
    path = [base64.b64encode(one).decode() for one in beside(hashes, sequence - 1)]
    return {"event": line_of(dict(event)), "path": path, "checkpoint": note}


def write_proof(proof: dict[str, Any], into: Path, keys: Iterable[str]) -> None:
    """Write a proof into a new directory, with the keys and the verifier. Raises `FileExistsError`."""
    into.mkdir(parents=True)
    (into / PROOF).write_text(json.dumps(proof, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    (into / KEYS).write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    shutil.copyfile(standalone_verifier.__file__, into / VERIFIER)


def _newest(kept: str, verifiers: Verifiers, origin: str) -> tuple[str, Checkpoint | None]:
    opened = ((note, verifiers.opened(note)) for note in notes_in(kept))
    ours = [(note, one) for note, one in opened if one is not None and one.origin == origin]
    return max(ours, key=lambda pair: pair[1].tree.size, default=("", None))


def _grown(hashes: Iterable[bytes]) -> Tree:
    tree = Tree()
    for leaf in hashes:
        tree = tree.grown(leaf)
    return tree
