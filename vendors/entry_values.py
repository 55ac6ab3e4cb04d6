"""What a clinician can sign beside a note: structured entries for the chart, as plain values.

One definition for every room: a drafter proposes them, a review keeps them, an adapter renders them. Kept for ever
with each draft, so fields are only added, with defaults. This module reaches no framework.

Sources: FHIR R4; US Core vital signs profiles (LOINC codes and UCUM units); conformance C28 to C35 by analogy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class EntryKind(StrEnum):
    """The kinds of entry."""

    VITAL_SIGN = "vital_sign"
    FOLLOW_UP = "follow_up"
    PROBLEM = "problem"
    ALLERGY = "allergy"
    MESSAGE = "message"
    VISIT_REASON = "visit_reason"
    MEDICATION = "medication"


class Sign(StrEnum):
    """The vital signs that have a US Core profile of their own."""

    BLOOD_PRESSURE = "blood_pressure"
    HEART_RATE = "heart_rate"
    RESPIRATORY_RATE = "respiratory_rate"
    TEMPERATURE = "temperature"
    OXYGEN_SATURATION = "oxygen_saturation"
    WEIGHT = "weight"
    HEIGHT = "height"


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Coded(_Content):
    """One code of a terminology."""

    system: str
    code: str
    display: str = ""


class VitalSign(_Content):
    """A measurement of this visit. `value` stands as it was written; `second` is the diastolic pressure."""

    kind: Literal["vital_sign"] = "vital_sign"
    sign: Sign
    value: str
    second: str = ""
    unit: str
    measured_at: datetime | None = None


class FollowUp(_Content):
    """Something to be done for the patient later."""

    kind: Literal["follow_up"] = "follow_up"
    what: str
    due: date | None = None


class Problem(_Content):
    """An entry of the problem list."""

    kind: Literal["problem"] = "problem"
    name: str
    coding: Coded | None = None


class Allergy(_Content):
    """An allergy or intolerance, as the patient told it."""

    kind: Literal["allergy"] = "allergy"
    substance: str
    reaction: str = ""
    coding: Coded | None = None


class Message(_Content):
    """A message about this patient, left for the care team to send."""

    kind: Literal["message"] = "message"
    text: str


class VisitReason(_Content):
    """A reason, or a type, to be added to the visit itself."""

    kind: Literal["visit_reason"] = "visit_reason"
    text: str
    aspect: Literal["reasonCode", "type"] = "reasonCode"
    coding: Coded | None = None


class Medication(_Content):
    """A medication that is proposed, never ordered: it stays a draft in the chart until somebody orders it there."""

    kind: Literal["medication"] = "medication"
    name: str
    dosage: str = ""
    coding: Coded | None = None


Content = Annotated[
    VitalSign | FollowUp | Problem | Allergy | Message | VisitReason | Medication, Field(discriminator="kind")
]

RESOURCE_OF: Mapping[EntryKind, str] = {
    EntryKind.VITAL_SIGN: "Observation",
    EntryKind.FOLLOW_UP: "Task",
    EntryKind.PROBLEM: "Condition",
    EntryKind.ALLERGY: "AllergyIntolerance",
    EntryKind.MESSAGE: "Communication",
    EntryKind.VISIT_REASON: "Encounter",
    EntryKind.MEDICATION: "MedicationRequest",
}


@dataclass(frozen=True)
class Measured:
    """How one vital sign is written: its LOINC code, and for each UCUM unit the range that a living person can have."""

    loinc: str
    display: str
    units: Mapping[str, tuple[float, float]]
    also: tuple[tuple[str, str], ...] = ()


SIGNS: Mapping[Sign, Measured] = {
    Sign.BLOOD_PRESSURE: Measured("85354-9", "Blood pressure", {"mm[Hg]": (20, 300)}),
    Sign.HEART_RATE: Measured("8867-4", "Heart rate", {"/min": (20, 300)}),
    Sign.RESPIRATORY_RATE: Measured("9279-1", "Respiratory rate", {"/min": (4, 80)}),
    Sign.TEMPERATURE: Measured("8310-5", "Body temperature", {"Cel": (30, 43), "[degF]": (86, 110)}),
    # US Core pulse oximetry wants both codes.
    Sign.OXYGEN_SATURATION: Measured(
        "2708-6",
        "Oxygen saturation",
        {"%": (50, 100)},
        (("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),),
    ),
    Sign.WEIGHT: Measured("29463-7", "Body weight", {"kg": (0.3, 500), "[lb_av]": (0.7, 1100)}),
    Sign.HEIGHT: Measured("8302-2", "Body height", {"cm": (20, 260), "[in_i]": (8, 100)}),
}

# UCUM codes that nobody writes so in a chart.
SPOKEN_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C", "[degF]": "°F", "[lb_av]": "lb", "[in_i]": "in"}

if RESOURCE_OF.keys() != set(EntryKind) or SIGNS.keys() != set(Sign):
    raise TypeError("every kind of entry needs its resource type, and every vital sign its code")
