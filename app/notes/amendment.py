"""What a signature would change: fixed with the snapshot, and shown on the page before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.drafting.draft import Value
from app.policy.route import Landing


class Amends(Value):
    """What a signature changes: the version before, by our identifier and where known by the EHR's reference."""

    kind: Literal["correction", "addendum"]
    reason: str
    identifier: str
    reference: str = ""
    relation: Literal["", "replaces", "appends"] = ""
    doc_status: Literal["", "amended"] = ""


@dataclass(frozen=True)
class Amendment:
    """The change as it would land now. `signed_before`: when the version that it changes was signed, in local time."""

    amends: Amends
    landing: Landing
    signed_before: datetime
    displayed: tuple[object, ...]
