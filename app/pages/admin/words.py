"""The administrators' words: for phases, roles, stages, moments, and for who did something."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from flask import g
from sqlalchemy import Connection

from app.administrators import accounts
from app.administrators.roles import Role
from app.pages.words import full_time
from app.tenants.registrations import Phase
from app.writebacks.state import Stage

PHASES = {
    Phase.READ_ONLY: ("Read only", "Charts open; no draft is made."),
    Phase.DRAFT_ONLY: (
        "Draft only",
        "Drafted, reviewed and signed; nothing is filed, the note is handed over to copy.",
    ),
    Phase.LOW_RISK: ("Low risk", "Filed as preliminary; the clinician signs it in the EHR too."),
    Phase.FULL: ("Full", "Filed as signed."),
}
ROLES = {
    Role.IT_ADMIN: "IT administrator",
    Role.COMPLIANCE: "Compliance",
    Role.OPERATIONS: "Operations",
    Role.PRODUCT: "Product",
}
STAGES = {
    Stage.QUEUED: "Queued",
    Stage.SENDING: "Sending",
    Stage.OUTCOME_UNKNOWN: "No clear answer",
    Stage.FILED: "Filed",
    Stage.VERIFIED: "Verified",
    Stage.DRIFTED: "Differs in the chart",
    Stage.REJECTED: "Refused",
    Stage.PARKED: "Parked",
    Stage.AWAITING_COPY: "To be copied",
    Stage.COPIED: "Copied",
    Stage.CANCELLED: "Taken back by its signer",
    Stage.SUPERSEDED: "Replaced by a later version",
    Stage.OVERRIDDEN: "Stands otherwise in the EHR",
    Stage.MISSING: "Not in the chart any more",
    Stage.SETTLED: "Ended by a person",
}
if PHASES.keys() != set(Phase) or ROLES.keys() != set(Role) or STAGES.keys() != set(Stage):
    raise TypeError("every phase, role and stage needs its words")

UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def moment(at: datetime) -> str:
    """Day and time. Administrators look at several organisations, so theirs is UTC and says so."""
    return full_time(at.astimezone(UTC))


def lasting(span: timedelta) -> str:
    """How long, to the unit that matters: "3 days", "less than a minute"."""
    for unit, name in UNITS:
        if span >= unit:
            count = span // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"


def names_of_accounts(tx: Connection) -> Mapping[str, str]:
    """What pages call each account, by the actor that events hold; read once for a request."""
    if "account_names" not in g:
        g.account_names = {account.actor: account.name for account in accounts.everyone(tx)}
    names: Mapping[str, str] = g.account_names
    return names


def who(actor: str, names: Mapping[str, str]) -> str:
    """An actor of an event, as people say it; the id stays visible where a name could be anybody's."""
    kind, _, rest = actor.partition(":")
    if kind == "admin":
        return f"{names.get(actor, 'An administrator')} ({rest[:6]})"
    if kind == "cli":
        return f"{rest} at the command line"
    return "Countersign" if kind == "system" else actor
