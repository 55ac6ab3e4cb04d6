"""What filing showed of the EHR that no document of it says: which of its silences are no proof."""

from app.onboarding.case import Case
from app.onboarding.finding import Check, Finding, advice, fine
from app.tenants.habits import Habit

FOR_A_PERSON = "Until then a write whose answer was lost is never sent again without a person."


def check_identifiers(case: Case) -> Finding:
    """Whether everything that was read back still carried our identifier (F25)."""
    first = case.history.habits.get(Habit.DROPS_IDENTIFIERS)
    if first is None:
        return fine(Check.IDENTIFIERS, "Nothing was read back without it")
    return advice(
        Check.IDENTIFIERS,
        f"A {first.resource_type} was stored without it on {first.at:%Y-%m-%d}.",
        expected="What is filed keeps its identifier, so that it is found again when the EHR's answer is lost",
        change=f"Ask the vendor why. {FOR_A_PERSON}",
        where=f"{case.profile.title}: storing and searching of identifiers",
    )


def check_filed_at_once(case: Case) -> Finding:
    """Whether the EHR ever answered a write with 202: accepted, and not filed (F17)."""
    first = case.history.habits.get(Habit.FILES_LATER)
    if first is None:
        return fine(Check.FILED_AT_ONCE, "No write was answered with 202")
    return advice(
        Check.FILED_AT_ONCE,
        f"A {first.resource_type} was answered with 202 (accepted, not filed) on {first.at:%Y-%m-%d}.",
        expected="What is answered is filed, so that what is not found later was certainly not filed",
        change=f"Ask the vendor how long it may take until it is filed. {FOR_A_PERSON}",
        where=f"{case.profile.title}: what answers a write, and when it files",
    )
