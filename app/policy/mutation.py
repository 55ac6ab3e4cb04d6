"""What becomes of a signed note that is to be changed: which mutation, carried by which FHIR interaction. Pure.

Whoever signed may correct, add, retract or take back, and each has one way that this EHR documents: a new document that
replaces or appends, an update of the filed one, a mark that it was entered in error, or the clinician's own hands.
Nothing is ever overwritten that somebody else changed. Sources: FHIR R4 documentreference.html (relatesTo, docStatus);
conformance C11, C13, C36 to C38, F41, F42.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.policy.route import Landing, Route

Way = Literal["replaces", "in_place", "addendum"]
Retraction = Literal["update", "patch", "none"]


class Asked(StrEnum):
    """What a person wants to do with what was signed."""

    CORRECT = "correct"
    ADD = "add"
    RETRACT = "retract"
    TAKE_BACK = "take_back"


class Standing(StrEnum):
    """Where the signed original stands."""

    UNSENT = "unsent"
    ON_ITS_WAY = "on_its_way"
    FILED = "filed"
    CHANGED = "changed"
    COPIED = "copied"
    MISSING = "missing"
    NOT_FILED = "not_filed"
    RETRACTED = "retracted"


class Move(StrEnum):
    """What Countersign does about it."""

    SEND = "send"
    COPY = "copy"
    BY_HAND = "by_hand"
    WAIT = "wait"
    CANCEL = "cancel"
    REFUSE = "refuse"


@dataclass(frozen=True)
class ChangeFacts:
    """What the choice depends on.

    `landing` is what `choose_route` says of a new note now: it holds phase, switches, and the rights to create and
    read. `ways` are the profile's for an amendment, best first; `update_granted` is the token's.
    """

    asked: Asked
    standing: Standing
    landing: Landing
    ways: tuple[Way, ...] = ()
    retraction: Retraction = "none"
    update_granted: bool = False

    @property
    def may_update(self) -> bool:
        """Whether what is filed may be changed where it stands: read back too, and by a workflow that files as final.

        That new notes are not taken, or not granted, says nothing about it.
        """
        return self.update_granted and not set(self.landing.reasons) - ABOUT_NEW_NOTES


@dataclass(frozen=True)
class Change:
    """What will be done. `reason` names the row of the table, and so the sentence for the clinician.

    `mutation` says what it means, `interaction` how it travels; `relation` is the relatesTo code of a new document;
    `supersedes` is what becomes of the original once this is verified: replaced, amended, retracted; empty: it stands.
    """

    move: Move
    reason: str
    mutation: str = ""
    interaction: str = ""
    relation: Literal["", "replaces", "appends"] = ""
    doc_status: Literal["", "amended"] = ""
    supersedes: str = ""


REPLACE = Change(Move.SEND, "replaces", "amend", "create", relation="replaces", supersedes="replaced")
IN_PLACE = Change(Move.SEND, "in_place", "amend", "update", doc_status="amended", supersedes="amended")
CORRECT_BY_ADDENDUM = Change(Move.SEND, "correct_by_addendum", "amend", "create", relation="appends")
APPEND = Change(Move.SEND, "appends", "amend", "create", relation="appends")
FILE_ANEW = Change(Move.SEND, "file_anew", "create", "create")
# Else what was corrected would be filed after the corrected version was copied into the chart by hand.
TAKE_BACK_FIRST = Change(Move.REFUSE, "take_back_instead")
RETRACT_BY = {
    "update": Change(Move.SEND, "retract", "retract", "update", supersedes="retracted"),
    "patch": Change(Move.SEND, "retract", "retract", "patch", supersedes="retracted"),
}


def choose_change(facts: ChangeFacts) -> Change:
    """The decision table; the first line that applies decides. An empty cell is anything.

    *New note* is what would become of a new note now (filed, copied or refused, by phase, switches, visit and scopes);
    *EHR takes* is what its profile documents; *may update* needs a token for updates and for reading back, and a
    workflow that files notes as final.

    | asked | original stands | new note | EHR takes | may update | move | as | reason |
    |---|---|---|---|---|---|---|---|
    | | retracted | | | | refuse | | already_retracted |
    | take_back | unsent | | | | cancel | | take_back |
    | take_back | on_its_way | | | | wait | | on_its_way |
    | take_back | filed | | | | refuse | | retract_instead |
    | take_back | | | | | refuse | | nothing_to_take_back |
    | | | refuse | | | refuse | | not_here |
    | | missing | | | | by_hand | | look_first |
    | correct | not_filed | file | | | send | create | file_anew |
    | correct | not_filed | copy | | | copy | | copy_anew |
    | add | not_filed | | | | refuse | | correct_instead |
    | retract | not_filed | | | | refuse | | not_in_chart |
    | retract | copied | | | | by_hand | | copied |
    | | copied | | | | copy | | copy_change |
    | retract | unsent | | | | refuse | | take_back_instead |
    | retract | on_its_way | | | | wait | | on_its_way |
    | correct | changed | | | | by_hand | | changed_in_ehr |
    | retract | changed | | | | by_hand | | changed_in_ehr |
    | correct | unsent | copy, by phase or switch | | | refuse | | take_back_instead |
    | | | copy, by phase or switch | | | by_hand: retract; else copy | | not_now |
    | retract | filed | | update | yes | send | retract by update | retract |
    | retract | filed | | patch | yes | send | retract by patch | retract |
    | retract | filed | | | | by_hand | | not_taken |
    | correct | | file | replaces (1) | | send | amend by create, replaces | replaces |
    | correct | filed | | in_place (1) | yes | send | amend by update, amended | in_place |
    | correct | | file | addendum (1) | | send | amend by create, appends | correct_by_addendum |
    | correct | unsent, on_its_way | | in_place | yes | wait | | on_its_way |
    | correct | unsent | | | | refuse | | take_back_instead |
    | add | | file | addendum | | send | amend by create, appends | appends |
    | | | | | | copy | | copy_change |

    (1) In the order in which the profile lists them.
    """
    early = _before_the_original(facts) or _by_standing(facts)
    return early or CHOICES[facts.asked](facts)


def _before_the_original(facts: ChangeFacts) -> Change | None:
    """What needs no look at the EHR."""
    if facts.standing is Standing.RETRACTED:
        return Change(Move.REFUSE, "already_retracted")
    if facts.asked is Asked.TAKE_BACK:
        return {
            Standing.UNSENT: Change(Move.CANCEL, "take_back"),
            Standing.ON_ITS_WAY: Change(Move.WAIT, "on_its_way"),
            Standing.FILED: Change(Move.REFUSE, "retract_instead"),
        }.get(facts.standing, Change(Move.REFUSE, "nothing_to_take_back"))
    if facts.landing.route is Route.REFUSE:
        return Change(Move.REFUSE, "not_here")
    return Change(Move.BY_HAND, "look_first") if facts.standing is Standing.MISSING else None


def _by_standing(facts: ChangeFacts) -> Change | None:
    """What the original's own standing decides."""
    retracts = facts.asked is Asked.RETRACT
    match facts.standing:
        case Standing.NOT_FILED:
            return _not_filed(facts)
        case Standing.COPIED:
            return Change(Move.BY_HAND, "copied") if retracts else Change(Move.COPY, "copy_change")
        case Standing.UNSENT if retracts:
            return TAKE_BACK_FIRST
        case Standing.ON_ITS_WAY if retracts:
            return Change(Move.WAIT, "on_its_way")
        case Standing.CHANGED if facts.asked is not Asked.ADD:
            return Change(Move.BY_HAND, "changed_in_ehr")
    if NOT_NOW & set(facts.landing.reasons):
        if facts.asked is Asked.CORRECT and facts.standing is Standing.UNSENT:
            return TAKE_BACK_FIRST
        return Change(Move.BY_HAND if retracts else Move.COPY, "not_now")
    return None


def _not_filed(facts: ChangeFacts) -> Change:
    match facts.asked:
        case Asked.CORRECT:
            return FILE_ANEW if facts.landing.route is Route.FILE else Change(Move.COPY, "copy_anew")
        case Asked.ADD:
            return Change(Move.REFUSE, "correct_instead")
        case _:
            return Change(Move.REFUSE, "not_in_chart")


def _correct(facts: ChangeFacts) -> Change:
    """The first of the EHR's ways that can be gone now."""
    files, is_filed = facts.landing.route is Route.FILE, facts.standing is Standing.FILED
    by_way: dict[Way, Change | None] = {
        "replaces": REPLACE if files else None,
        "in_place": IN_PLACE if is_filed and facts.may_update else None,
        "addendum": CORRECT_BY_ADDENDUM if files else None,
    }
    first = next((by_way[way] for way in facts.ways if by_way[way]), None)
    if first is None and "in_place" in facts.ways and not is_filed and facts.may_update:
        return Change(Move.WAIT, "on_its_way")
    return first or (TAKE_BACK_FIRST if facts.standing is Standing.UNSENT else Change(Move.COPY, "copy_change"))


def _add(facts: ChangeFacts) -> Change:
    files = facts.landing.route is Route.FILE and "addendum" in facts.ways
    return APPEND if files else Change(Move.COPY, "copy_change")


def _retract(facts: ChangeFacts) -> Change:
    by = RETRACT_BY.get(facts.retraction)
    return by if by and facts.may_update else Change(Move.BY_HAND, "not_taken")


ABOUT_NEW_NOTES = frozenset({"write_not_granted", "vendor_takes_no_notes"})
# A new note would be copied for one of these: our own side does not let anything be written now.
NOT_NOW = frozenset({"draft_only", "switched_off"})
CHOICES: dict[Asked, Callable[[ChangeFacts], Change]] = {
    Asked.CORRECT: _correct,
    Asked.ADD: _add,
    Asked.RETRACT: _retract,
    Asked.TAKE_BACK: _retract,  # never asked: every standing of it is decided before
}
# One sentence for the clinician for every reason; `{ehr}` is the EHR's name.
SENTENCES: dict[str, str] = {
    "already_retracted": "This note was retracted. It cannot be changed any more; write a new one in {ehr}.",
    "take_back": "Nothing was sent yet: the note is stopped here and never reaches {ehr}.",
    "on_its_way": "The note is on its way into {ehr}. Wait until this page says that it is in the chart, then try "
    "again.",
    "retract_instead": "The note is in the chart of {ehr} already. You can retract it instead.",
    "nothing_to_take_back": "There is nothing on its way to {ehr} that could be stopped.",
    "not_here": "Countersign may not write notes for this chart at the moment.",
    "look_first": "It is not certain that the note is in {ehr}. Look in the chart first, and change it there if it is.",
    "file_anew": "The note is not in the chart. Your corrected version is filed in {ehr} as a new note.",
    "copy_anew": "The note is not in the chart. You copy your corrected version into {ehr}.",
    "correct_instead": "The note is not in the chart, so there is nothing to add to. Correct it instead.",
    "not_in_chart": "The note is not in the chart of {ehr}, so there is nothing to change there.",
    "copied": "You copy this note into {ehr} yourself. Change it there.",
    "copy_change": "{ehr} takes no changed notes from Countersign. You sign the text here and copy it into the chart.",
    "take_back_instead": "Nothing was sent yet. Take the note back instead.",
    "changed_in_ehr": "The note was changed or deleted in {ehr}, and what stands there counts. Change it in {ehr}.",
    "not_now": "Your organisation does not let Countersign write to {ehr} at the moment.",
    "retract": "The note stays in {ehr} and is marked there as entered in error. Its text is not deleted.",
    "not_taken": "{ehr} does not take this from Countersign. Do it in {ehr}.",
    "replaces": "Your corrected version is filed in {ehr} as a new note that replaces this one. The old one stays "
    "readable there.",
    "in_place": "{ehr} changes the filed note to your corrected version and marks it as amended. Countersign keeps the "
    "old one.",
    "correct_by_addendum": "{ehr} does not let a filed note be replaced: your corrected version is added to it as an "
    "addendum.",
    "appends": "Your text is filed in {ehr} as an addendum. The note itself stays as it is.",
}


def sentence(change: Change, ehr: str) -> str:
    """What will happen, in one sentence for the clinician. `ehr` is its name as people say it."""
    return SENTENCES[change.reason].format(ehr=ehr)
