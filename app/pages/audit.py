"""The audit trail of one tenant: what happened, filtered and in pages, and the story of one stream from its beginning.

It shows identifiers of patients, so only compliance sees it. Source: conformance E30 (45 CFR 164.312(b)).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.administrators.record import CONSOLE
from app.administrators.roles import Area
from app.errors import BadInput, NotFound
from app.pages.admin.doors import guard, visitor
from app.pages.admin.event_words import WORDS
from app.pages.admin.screens import AuditRow, AuditScreen
from app.pages.admin.words import moment, names_of_accounts, who
from app.pages.sessions import collaborators
from app.projections import audit_trail, follower
from app.projections.audit_trail import Asked, AuditLine

SHOWN = 50
ASKED = ("tenant", "stream", "tag", "actor", "since", "until")
LONGEST_DETAIL = 200

audit = Blueprint("audit", __name__, url_prefix="/audit")
guard(audit, {"trail": Area.AUDIT, "story": Area.AUDIT})


@audit.get("/")
def trail() -> ResponseReturnValue:
    """The trail, newest first."""
    asked = {name: request.args.get(name, "").strip() for name in ASKED}
    try:
        found = _found(asked) if asked["tenant"] else None
    except BadInput as refused:
        return _page(asked, None, problem=refused.what_happened), refused.status
    return _page(asked, found)


@audit.get("/<tenant_id>/<stream>")
def story(tenant_id: str, stream: str) -> ResponseReturnValue:
    """Everything that happened in one stream, from its beginning."""
    _require_known(tenant_id)
    follower.follow(collaborators().database, tenant_id)
    with collaborators().database.read() as tx:
        lines = audit_trail.story(tx, tenant_id, [stream])
        names = names_of_accounts(tx)
    if not lines:
        raise NotFound("There is no such story in this tenant's log.", "Go back to the audit trail.")
    rows = tuple(_row(number, line, names) for number, line in enumerate(lines, start=1))
    asked = dict.fromkeys(ASKED, "") | {"tenant": tenant_id, "stream": stream}
    return _page(asked, rows, is_story=True)


def _found(asked: Mapping[str, str]) -> tuple[AuditRow, ...]:
    tenant_id = asked["tenant"]
    _require_known(tenant_id)
    before = request.args.get("before", "")
    follower.follow(collaborators().database, tenant_id)
    looked_for = Asked(
        asked["stream"], asked["tag"], asked["actor"], _day(asked["since"]), _day(asked["until"], timedelta(days=1))
    )
    with collaborators().database.read() as tx:
        numbered = audit_trail.search(
            tx, tenant_id, looked_for, int(before) if before.isdecimal() and len(before) < 18 else None, SHOWN + 1
        )
        names = names_of_accounts(tx)
    return tuple(_row(one.sequence, one.line, names) for one in numbered)


def _page(
    asked: Mapping[str, str], rows: tuple[AuditRow, ...] | None, *, problem: str = "", is_story: bool = False
) -> str:
    more = rows is not None and len(rows) > SHOWN and not is_story
    shown = rows[:SHOWN] if rows and more else rows
    query = {name: value for name, value in asked.items() if value}
    screen = AuditScreen(
        tenants=_known(),
        asked=dict(asked),
        problem=problem,
        tags=tuple(sorted(WORDS.items())),
        rows=shown,
        older=f"/audit/?{urlencode(query | {'before': str(shown[-1].sequence)})}" if more and shown else "",
        newest=f"/audit/?{urlencode(query)}" if request.args.get("before") else "",
        is_story=is_story,
    )
    return render_template("admin/audit.html", screen=screen, visitor=visitor())


def _row(sequence: int, line: AuditLine, names: Mapping[str, str]) -> AuditRow:
    return AuditRow(
        sequence=sequence,
        at=moment(line.recorded_at),
        who=who(line.actor, names),
        actor=line.actor,
        what=WORDS[line.tag],
        tag=line.tag,
        stream=line.stream,
        details=tuple((name.replace("_", " "), _said(value)) for name, value in line.details.items() if value),
    )


def _said(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}…"


def _known() -> tuple[tuple[str, str], ...]:
    """Every tenant that has a log: live, retired, and the administrators' own."""
    tenants = collaborators().tenants
    retired = [(one.id, f"{one.organization} (retired)") for one in tenants.retired()]
    return (*((one.id, one.organization) for one in tenants), *retired, (CONSOLE, "Administrators of Countersign"))


def _require_known(tenant_id: str) -> None:
    if tenant_id not in dict(_known()):
        raise NotFound("There is no such tenant.", "Go back to the audit trail.")


def _day(written: str, plus: timedelta = timedelta(0)) -> datetime | None:
    if not written:
        return None
    try:
        return datetime.strptime(written, "%Y-%m-%d").replace(tzinfo=UTC) + plus
    except (ValueError, OverflowError) as error:
        raise BadInput("A day is written like 2026-11-22.") from error
