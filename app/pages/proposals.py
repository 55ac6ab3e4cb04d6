"""Deciding about proposed entries: approve, decline, take back, change. Pages with scripts get the section back."""

from collections.abc import Callable

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import BadInput, StaleEdit
from app.notes.commands import ChangeProposal, DecideProposals, EntryVerdict
from app.notes.reading import ReadNote
from app.pages.note_page import current_proposals, local_now, required_note
from app.pages.sessions import collaborators, current_launch, open_launch_before

proposals = Blueprint("proposals", __name__, url_prefix="/charts/<launch_id>/proposals")
open_launch_before(proposals)

SAID = {EntryVerdict.APPROVE: "Approved", EntryVerdict.DECLINE: "Declined", EntryVerdict.REOPEN: "Open again"}
if SAID.keys() != set(EntryVerdict):
    raise TypeError("every verdict on an entry needs its word")


@proposals.post("/decision")
def decision() -> ResponseReturnValue:
    """Approve, decline or reopen one proposal, or approve together those that may be."""
    note, verdict = required_note(), _verdict()
    chosen = tuple(_chosen(one) for one in request.form.getlist("proposal"))
    confirmed = request.form.get("confirmed") == "yes"
    command = DecideProposals(current_launch(), note.note_id, chosen, verdict, confirmed)
    return _answer(lambda: collaborators().proposals.decide(command), chosen[0][0] if chosen else "", SAID[verdict])


@proposals.post("/<proposal_id>/change")
def change(proposal_id: str) -> ResponseReturnValue:
    """Change what a proposal says; it is to be approved anew."""
    note = required_note()
    fields = tuple((name, text) for name, text in request.form.items() if name not in ("csrf", "revision"))
    revision = _number(request.form.get("revision", ""))
    command = ChangeProposal(current_launch(), note.note_id, proposal_id, revision, fields)
    return _answer(lambda: collaborators().proposals.change(command), proposal_id, "Changed")


def _answer(act: Callable[[], ReadNote], proposal_id: str, said: str) -> ResponseReturnValue:
    wants_fragment = request.accept_mimetypes.best == "application/json"
    try:
        note = act()
    except StaleEdit as stale:
        if not wants_fragment:
            raise
        html = render_template("charts/_proposals.html", proposals=current_proposals(required_note()))
        return jsonify(problem=stale.what_happened, proposals_html=html), stale.status
    if not wants_fragment:
        anchor = f"#proposal-{proposal_id}" if note.review.draft.proposal(proposal_id) else "#proposals"
        return redirect(url_for("charts.review", launch_id=current_launch().launch_id) + anchor, 303)
    html = render_template("charts/_proposals.html", proposals=current_proposals(note))
    return jsonify(proposals_html=html, said=said, saved=f"{local_now():%H:%M}")


def _verdict() -> EntryVerdict:
    try:
        return EntryVerdict(request.form.get("decision", ""))
    except ValueError as error:
        raise BadInput("The page sent an unknown decision.", "Reload the page and try again.") from error


def _chosen(written: str) -> tuple[str, int]:
    proposal_id, _, revision = written.partition(":")
    return proposal_id, _number(revision)


def _number(written: str) -> int:
    try:
        return int(written)
    except ValueError as error:
        raise BadInput("The page sent something that is not a revision.", "Reload the page and try again.") from error
