"""Our synthetic people, as `sandbox/data/patients/*.yaml` describes them. Nobody here exists."""

from datetime import date
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

DATA = Path(__file__).parents[1] / "data"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organization(_Data):
    """Who runs the practice."""

    key: str
    name: str


class Practitioner(_Data):
    """Someone who can open a chart."""

    key: str
    family: str
    given: tuple[str, ...]
    prefix: str
    suffix: str
    npi: str
    specialty: str


class Practice(_Data):
    """The practice that all three EHRs belong to."""

    organization: Organization
    practitioners: tuple[Practitioner, ...]


class Visit(_Data):
    """One encounter: either today, some minutes ago, or a past day at a clock time."""

    key: str
    practitioner: str
    reason: str
    minutes_ago: int | None = None
    days_ago: int | None = None
    time: str = "09:00"
    minutes: int | None = None
    open: bool = False
    kind: Literal["AMB", "VR", "EMER"] = "AMB"


class Problem(_Data):
    """An entry of the problem list."""

    text: str
    snomed: str
    icd10: str
    since: date
    status: Literal["active", "resolved"] = "active"


class Medication(_Data):
    """A medication order as the chart has it."""

    text: str
    rxnorm: str
    directions: str
    since: date
    practitioner: str
    status: Literal["active", "stopped"] = "active"


class Allergy(_Data):
    """An allergy or intolerance."""

    text: str
    rxnorm: str
    reaction: str
    severity: Literal["mild", "moderate", "severe"]
    kind: Literal["allergy", "intolerance"] = "allergy"


class Vitals(_Data):
    """One set of vital signs, taken in a visit."""

    visit: str
    blood_pressure: str | None = None
    pulse: int | None = None
    temperature_f: int | float | None = None
    respirations: int | None = None
    oxygen: int | None = None
    weight_kg: int | float | None = None
    height_cm: int | float | None = None


class Lab(_Data):
    """One laboratory result."""

    text: str
    loinc: str
    value: int | float
    unit: str
    days_ago: int
    flag: Literal["N", "H", "L"] = "N"


class Document(_Data):
    """A note or another document already in the chart."""

    visit: str
    title: str
    text: str
    loinc: str = "11506-3"
    loinc_display: str = "Progress note"
    category: Literal["clinical-note", "intake"] = "clinical-note"
    language: str = "en"
    practitioner: str


class Person(_Data):
    """One patient with everything in the chart."""

    key: str
    family: str
    given: tuple[str, ...]
    sex: Literal["female", "male", "other"] | None = None
    born: date | None = None
    mrn: str
    language: str = "en"
    visits: tuple[Visit, ...]
    problems: tuple[Problem, ...] = ()
    medications: tuple[Medication, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    no_known_allergies: bool = False
    vitals: tuple[Vitals, ...] = ()
    labs: tuple[Lab, ...] = ()
    documents: tuple[Document, ...] = ()
    transcripts: dict[str, str] = {}

    def visit(self, key: str) -> Visit:
        """The visit of this key. Raises KeyError."""
        return {visit.key: visit for visit in self.visits}[key]


def load_practice() -> Practice:
    """The practice and its clinicians."""
    return Practice.model_validate(_read(DATA / "practice.yaml"))


def load_people() -> list[Person]:
    """Every patient, in the order of the file names. Raises `pydantic.ValidationError`."""
    return [Person.model_validate(_read(file)) for file in sorted((DATA / "patients").glob("*.yaml"))]


def _read(file: Path) -> object:
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
