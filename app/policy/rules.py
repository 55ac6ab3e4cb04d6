"""May this note be signed: one named function for each rule. Pure; every rule runs, so all reasons show at once."""

from collections.abc import Callable
from dataclasses import dataclass

from app.policy.route import Landing, Route
from app.policy.verdict import Refusal


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


Rule = Callable[[SigningFacts], Refusal | None]
NO_ROUTE = {
    "encounter_missing": "This EHR takes a note only in a visit, and this chart was opened without one.",
    "read_only": "Your organisation lets Countersign only read charts in this workflow at the moment.",
}
ENDED_WRONG = frozenset({"cancelled", "entered-in-error"})


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
        return Refusal("no_route", NO_ROUTE[facts.landing.reasons[0]])
    return None
