"""Versioned lists of rules. A version never changes; a new list gets a new name."""

from app.policy import rules
from app.policy.rules import Rule, SigningFacts
from app.policy.verdict import Refusal

STANDARD_1: tuple[Rule, ...] = (
    rules.signer_is_the_author,
    rules.signer_is_named_on_the_draft,
    rules.patient_is_the_launch_patient,
    rules.encounter_is_the_launch_encounter,
    rules.encounter_still_stands,
    rules.note_says_something,
    rules.nothing_is_open,
    rules.note_can_go_somewhere,
)
# With what a note and the entries beside it need of patient and visit as they stand when both are signed.
STANDARD_2: tuple[Rule, ...] = (
    *STANDARD_1,
    rules.patient_record_is_in_use,
    rules.encounter_is_the_patients,
    rules.identity_is_complete_for_entries,
    rules.entries_stand_in_an_open_visit,
    rules.entries_keep_the_rules,
)
RULESETS: dict[str, tuple[Rule, ...]] = {"standard-1": STANDARD_1, "standard-2": STANDARD_2}
# Only a ruleset that knows entries may sign any.
SIGNS_ENTRIES = frozenset({"standard-2"})


def refusals(ruleset: str, facts: SigningFacts) -> tuple[Refusal, ...]:
    """Every reason against signing under this ruleset; empty: it may be signed."""
    found = (rule(facts) for rule in RULESETS[ruleset])
    return tuple(refusal for refusal in found if refusal is not None)
