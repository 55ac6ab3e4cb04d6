"""Versioned lists of rules. A version never changes; a new list gets a new name."""

from app.policy import rules
from app.policy.rules import Rule, SigningFacts
from app.policy.verdict import Refusal

RULESETS: dict[str, tuple[Rule, ...]] = {
    "standard-1": (
        rules.signer_is_the_author,
        rules.signer_is_named_on_the_draft,
        rules.patient_is_the_launch_patient,
        rules.encounter_is_the_launch_encounter,
        rules.encounter_still_stands,
        rules.note_says_something,
        rules.nothing_is_open,
        rules.note_can_go_somewhere,
    ),
}


def refusals(ruleset: str, facts: SigningFacts) -> tuple[Refusal, ...]:
    """Every reason against signing under this ruleset; empty: it may be signed."""
    found = (rule(facts) for rule in RULESETS[ruleset])
    return tuple(refusal for refusal in found if refusal is not None)
