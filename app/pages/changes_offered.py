"""What can be done about a signed note now, and its versions: for the note's own page."""

from app.ids import WritebackId
from app.notes.commands import Kind
from app.notes.reading import ReadNote
from app.notes.state import Stage
from app.notes.versions import Version
from app.pages.change_words import OFFERS, VERSIONS, retracted_place
from app.pages.note_page import local
from app.pages.screens import Offer, VersionLine
from app.pages.sessions import collaborators, current_launch
from app.pages.status import PLACES
from app.pages.words import full_time
from app.policy.mutation import Asked, Move, Standing
from app.writebacks.state import Stage as Written

# What is done in the EHR is offered too: its page says so, and why. What has to wait is offered when its time comes.
OFFERED = frozenset({Move.SEND, Move.COPY, Move.CANCEL, Move.BY_HAND})
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
    offered = (asked for asked, plan in plans.items() if plan.change.move in OFFERED)
    return tuple(Offer(OFFERS[asked], *addresses[asked]) for asked in offered)


def versions(read: ReadNote) -> tuple[VersionLine, ...]:
    """Every signed version, the latest first; nothing where there is only one."""
    if len(read.state.signatures) < 2:
        return ()
    ehr = collaborators().ehrs.adapter(read.tenant_id).profile.title
    signed_at = _moments(read)
    return tuple(
        _line(read, one, ehr, signed_at[one.writeback_id])
        for one in reversed(collaborators().amendments.versions(read))
    )


def _moments(read: ReadNote) -> dict[WritebackId, str]:
    return {WritebackId(one.writeback_id): full_time(local(at)) for one, at in read.state.signed_when}


def _line(read: ReadNote, version: Version, ehr: str, signed_at: str) -> VersionLine:
    write = version.write
    place = PLACES[write.stage or Written.QUEUED].format(ehr=ehr)
    retracted = version.standing is Standing.RETRACTED
    # The note itself has its own link; an addendum is retracted from here.
    may = version.is_addendum and version.standing is Standing.FILED and read.state.stage is not Stage.AMENDING
    retract_url = f"/charts/{current_launch().launch_id}/note/retract/{version.writeback_id}"
    return VersionLine(
        title=f"Version {version.signed.note_version}: {VERSIONS[version.signed.kind].lower()}",
        signed_at=signed_at,
        place=retracted_place(version.retraction).format(ehr=ehr) if retracted and version.retraction else place,
        reference=f"DocumentReference/{write.resource_id}" if write.resource_id else "",
        retract_url=retract_url if may else "",
    )
