"""May this note be signed: one named function for each rule. Pure; every rule runs, so all reasons show at once."""

from collections.abc import Callable
from dataclasses import dataclass

from app.policy.mutation import SENTENCES
from app.policy.route import Landing, Route
from app.policy.verdict import Refusal
from vendors.entry_values import EntryKind


@dataclass(frozen=True)
class EntryToSign:
    """One approved entry: in words, of which kind, whether it is written to the EHR, and the rules that it breaks."""

    words: str
    kind: EntryKind
    is_filed: bool
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class SigningFacts:
    """Everything that the rules look at."""

    launch_actor: str
    note_actor: str
    launch_user: str
    draft_user: str
    launch_patient: str
    note_patient: str
    posted_patient: str
    chart_patient: str
    launch_encounter: str
    note_encounter: str
    posted_encounter: str
    chart_encounter_status: str
    open_claims: int
    statements: int
    landing: Landing
    # From here on for the entries that are written beside the note.
    entries: tuple[EntryToSign, ...] = ()
    chart_patient_replaced: bool = False
    chart_encounter_patient: str = ""
    identity_missing: tuple[str, ...] = ()


Rule = Callable[[SigningFacts], Refusal | None]
NO_ROUTE = {
    "encounter_missing": "This EHR takes a note only in a visit, and this chart was opened without one.",
    "read_only": "Your organisation lets Countersign only read charts in this workflow at the moment.",
}
ENDED_WRONG = frozenset({"cancelled", "entered-in-error"})
# What belongs into a visit as long as it lasts; the others may follow it.
NEEDS_OPEN_VISIT = frozenset({EntryKind.VITAL_SIGN, EntryKind.VISIT_REASON, EntryKind.MEDICATION})
OPEN_VISIT = frozenset({"planned", "arrived", "triaged", "in-progress", "onleave"})
OR_DECLINE = "Change it, or decline it and enter it in the EHR."


def signer_is_the_author(facts: SigningFacts) -> Refusal | None:
    """Only the clinician for whom the draft was made signs it."""
    if facts.launch_actor != facts.note_actor:
        return Refusal("another_author", "This draft was made for another clinician. Only that clinician can sign it.")
    return None


def signer_is_named_on_the_draft(facts: SigningFacts) -> Refusal | None:
    """The provider record that the page names is the one that the note will carry as its author."""
    if facts.launch_user != facts.draft_user:
        return Refusal(
            "another_provider_record",
            "This draft names another provider record than the one that you are signed in with now. "
            "Ask your administrator which of the two is yours.",
        )
    return None


def patient_is_the_launch_patient(facts: SigningFacts) -> Refusal | None:
    """The note, the page, the launch and the chart name one patient."""
    if len({facts.launch_patient, facts.note_patient, facts.posted_patient, facts.chart_patient}) != 1:
        return Refusal(
            "patient_changed",
            "The patient of this note is not the patient of this chart any more. Start again from the right chart.",
        )
    return None


def encounter_is_the_launch_encounter(facts: SigningFacts) -> Refusal | None:
    """The note, the page and the launch name one visit."""
    if len({facts.launch_encounter, facts.note_encounter, facts.posted_encounter}) != 1:
        return Refusal("encounter_changed", "The visit of this note is not the visit that this chart was opened for.")
    return None


def encounter_still_stands(facts: SigningFacts) -> Refusal | None:
    """A cancelled visit takes no note."""
    if facts.chart_encounter_status in ENDED_WRONG:
        return Refusal("encounter_cancelled", "This visit was cancelled in the EHR. Open the chart in the right visit.")
    return None


def nothing_is_open(facts: SigningFacts) -> Refusal | None:
    """Every statement that asks for a decision has one."""
    if facts.open_claims:
        items = "1 statement still needs" if facts.open_claims == 1 else f"{facts.open_claims} statements still need"
        return Refusal("open_claims", f"{items} your decision.")
    return None


def note_says_something(facts: SigningFacts) -> Refusal | None:
    """An empty note is not signed."""
    return None if facts.statements else Refusal("empty_note", "The note is empty. Write at least one statement.")


def note_can_go_somewhere(facts: SigningFacts) -> Refusal | None:
    """A note that can be neither filed nor copied is not signed."""
    if facts.landing.route is Route.REFUSE:
        reason = facts.landing.reasons[0]
        return Refusal("no_route", NO_ROUTE.get(reason) or SENTENCES[reason].format(ehr="The EHR"))
    return None


def patient_record_is_in_use(facts: SigningFacts) -> Refusal | None:
    """A record that was merged into another one takes nothing more."""
    if facts.chart_patient_replaced:
        return Refusal(
            "patient_merged",
            "This patient's record was merged into another one in the EHR. Open the chart that stands now.",
        )
    return None


def encounter_is_the_patients(facts: SigningFacts) -> Refusal | None:
    """The visit, as the EHR has it now, is this patient's."""
    if facts.chart_encounter_patient not in ("", facts.launch_patient):
        return Refusal(
            "encounter_of_another",
            "The EHR says that this visit belongs to another patient. Start again from the right chart.",
        )
    return None


def identity_is_complete_for_entries(facts: SigningFacts) -> Refusal | None:
    """What is written into lists by itself needs a patient who cannot be mistaken."""
    filed = [entry for entry in facts.entries if entry.is_filed]
    if filed and facts.identity_missing:
        missing = " and ".join(facts.identity_missing)
        return Refusal(
            "identity_incomplete",
            f"The chart does not tell the patient's {missing}, so these cannot be written: {_named(filed)}. "
            "Decline them, or complete the patient's record first.",
        )
    return None


def entries_stand_in_an_open_visit(facts: SigningFacts) -> Refusal | None:
    """What belongs into a visit is not written into one that has ended."""
    bound = [entry for entry in facts.entries if entry.is_filed and entry.kind in NEEDS_OPEN_VISIT]
    if bound and facts.launch_encounter and facts.chart_encounter_status not in OPEN_VISIT:
        return Refusal(
            "encounter_ended",
            f"The visit has ended in the EHR, and these belong into an open one: {_named(bound)}. "
            "Decline them and enter them in the EHR.",
        )
    return None


def entries_keep_the_rules(facts: SigningFacts) -> Refusal | None:
    """Every entry is one that this EHR can hold; which is not, and why, is said."""
    broken = [f"“{entry.words}”: {', '.join(entry.broken)}" for entry in facts.entries if entry.broken]
    if broken:
        return Refusal("entry_refused", f"{'; '.join(broken)}. {OR_DECLINE}")
    return None


def _named(entries: list[EntryToSign]) -> str:
    return ", ".join(f"“{entry.words}”" for entry in entries)
