"""What can be done about a signed note now, and its versions: for the note's own page."""

from collections.abc import Collection, Iterator, Mapping

from app.ids import WritebackId
from app.notes.commands import Kind
from app.notes.plan import Plan
from app.notes.reading import ReadNote
from app.notes.state import Stage
from app.notes.versions import Version
from app.pages.change_words import OFFERS, VERSIONS, retracted_place
from app.pages.note_page import local
from app.pages.screens import Offer, VersionLine
from app.pages.sessions import collaborators, current_launch
from app.pages.status import place
from app.pages.words import full_time
from app.policy.mutation import Asked, Move, Standing, sentence

# What is done here. What is done in the EHR is said at once, and what has to wait is offered when its time comes.
OFFERED = frozenset({Move.SEND, Move.COPY, Move.CANCEL})
UNDER_WAY = {Kind.CORRECTION: "Go on with the correction", Kind.ADDENDUM: "Go on with the addendum"}


def offers(read: ReadNote) -> tuple[Offer, ...]:
    """What the signer can do now; while a change is under way, to go on with it or to give it up."""
    root = f"/charts/{current_launch().launch_id}"
    if read.state.amendment:
        go_on = UNDER_WAY[Kind(read.state.amendment.kind)]
        return Offer(go_on, "link", f"{root}/"), Offer("Give it up", "post", f"{root}/note/give-up")
    plans = collaborators().amendments.plans(current_launch(), read)
    original = plans[Asked.RETRACT].original.writeback_id
    addresses = {
        Asked.CORRECT: ("link", f"{root}/note/change/{Kind.CORRECTION}"),
        Asked.ADD: ("link", f"{root}/note/change/{Kind.ADDENDUM}"),
        Asked.RETRACT: ("link", f"{root}/note/retract/{original}"),
        Asked.TAKE_BACK: ("post", f"{root}/note/take-back"),
    }
    here = (Offer(OFFERS[one], *addresses[one]) for one, plan in plans.items() if plan.change.move in OFFERED)
    return (*here, *_by_hand(plans))


def _by_hand(plans: Mapping[Asked, Plan]) -> Iterator[Offer]:
    """What is to be done in the EHR, and why; once for all that have the same reason."""
    ehr = collaborators().ehrs.adapter(current_launch().tenant_id).profile.title
    asked: dict[str, list[str]] = {}
    for one, plan in plans.items():
        if plan.change.move is Move.BY_HAND:
            asked.setdefault(sentence(plan.change, ehr), []).append(OFFERS[one])
    for words, labels in asked.items():
        yield Offer(", ".join((labels[0], *(label.lower() for label in labels[1:]))), "hand", words=words)


def versions(read: ReadNote, aside: Collection[WritebackId]) -> tuple[VersionLine, ...]:
    """Every signed version, the latest first; nothing where there is only one. `aside`: the writes put aside."""
    if len(read.state.signatures) < 2:
        return ()
    ehr = collaborators().ehrs.adapter(read.tenant_id).profile.title
    signed_at = _moments(read)
    return tuple(
        _line(read, one, ehr, signed_at[one.writeback_id], aside)
        for one in reversed(collaborators().amendments.versions(read))
    )


def _moments(read: ReadNote) -> dict[WritebackId, str]:
    return {WritebackId(one.writeback_id): full_time(local(at)) for one, at in read.state.signed_when}


def _line(read: ReadNote, version: Version, ehr: str, signed_at: str, aside: Collection[WritebackId]) -> VersionLine:
    return VersionLine(
        title=f"Version {version.signed.note_version}: {VERSIONS[version.signed.kind].lower()}",
        signed_at=signed_at,
        place=_place(version, aside).format(ehr=ehr),
        reference=f"DocumentReference/{version.write.resource_id}" if version.write.resource_id else "",
        retract=_retract(read, version, ehr),
    )


def _place(version: Version, aside: Collection[WritebackId]) -> str:
    """Where it stands, or where the retraction of it does."""
    if version.standing is not Standing.RETRACTED or version.retraction is None:
        return place(version.write, put_aside=version.writeback_id in aside)
    return retracted_place(version.retraction, put_aside=version.retraction_id in aside)


def _retract(read: ReadNote, version: Version, ehr: str) -> Offer | None:
    """How an addendum is retracted, or an earlier version that still counts; the note itself has its own offer."""
    is_beside = version.is_addendum or version.write.is_left_current
    if not is_beside or version.standing is not Standing.FILED or read.state.stage is Stage.AMENDING:
        return None
    change = collaborators().amendments.plan(current_launch(), read, Asked.RETRACT, version.writeback_id).change
    if change.move is Move.SEND:
        return Offer("Retract", "link", f"/charts/{current_launch().launch_id}/note/retract/{version.writeback_id}")
    return Offer("Retract", "hand", words=sentence(change, ehr))
