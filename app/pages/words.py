"""The words for dates, names and states: one place, so that all pages say the same."""

from datetime import date, datetime

from app.drafting.draft import ClaimState, Draft, PatientIdentity, Tier
from app.pages.screens import Attention, Banner
from app.review.review import Review, ReviewedClaim

STATE_WORDS = {
    ClaimState.SUPPORTED: "",
    ClaimState.UNSUPPORTED: "No source found",
    ClaimState.CONTRADICTED: "Differs from the chart",
    ClaimState.LEFT_BLANK: "Left for you",
}
SEX = {"male": "M", "female": "F", "other": "other", "unknown": "sex not recorded", "": "sex not recorded"}
LONGEST_QUOTE = 90

if STATE_WORDS.keys() != set(ClaimState):
    raise TypeError("every claim state needs its words")


def banner(draft: Draft, now: datetime) -> Banner:
    """The patient banner from what the chart said when the draft was made. `now` is local, and so are the dates."""
    patient, visit = draft.patient, draft.visit
    when = f"{_day(visit.start.astimezone(now.tzinfo))}, " if visit and visit.start else ""
    return Banner(
        name=_name(patient),
        sex=SEX.get(patient.sex, patient.sex),
        age=_age(patient.birth_date, now.date()),
        birth_date=patient.birth_date.isoformat() if patient.birth_date else "not recorded",
        mrn=patient.mrn,
        visit=f"Visit {when}{visit.title}" if visit else "No visit open",
        clinician=draft.clinician.name,
    )


def clock_time(moment: datetime) -> str:
    """The time of day, to the second, with the zone's name."""
    return f"{moment:%H:%M:%S %Z}"


def full_time(moment: datetime) -> str:
    """Day and time, with the zone's name."""
    return f"{_day(moment)}, {clock_time(moment)}"


def attention(review: Review) -> tuple[Attention, ...]:
    """What needs the clinician, most important first, in words that name the line."""
    return tuple(Attention(claim.claim.id, _needs(claim)) for claim in review.open_claims)


def _needs(claim: ReviewedClaim) -> str:
    quote = quoted(" ".join(claim.text.split()))
    if claim.finding.state in (ClaimState.UNSUPPORTED, ClaimState.CONTRADICTED):
        return f"{STATE_WORDS[claim.finding.state]}: {quote}"
    return f"{'Confirm' if claim.claim.tier is Tier.HIGH else 'Check'}: {quote}"


def quoted(text: str) -> str:
    """The beginning, up to the end of a word."""
    if len(text) <= LONGEST_QUOTE:
        return text
    cut = text[:LONGEST_QUOTE]
    return f"{cut.rpartition(' ')[0] or cut}…"


def _name(patient: PatientIdentity) -> str:
    return f"{patient.family.upper()}, {patient.given}" if patient.family else patient.given or "Name not recorded"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def _age(born: date | None, today: date) -> int | None:
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
