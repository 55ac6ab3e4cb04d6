"""The chart as Countersign reads it: values that a drafter and a reviewer can cite, with their versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Kind = Literal["condition", "medication", "allergy", "vital", "lab"]


@dataclass(frozen=True)
class Patient:
    """Whose chart it is."""

    reference: str
    version: str | None
    family: str = field(repr=False)
    given: str = field(repr=False)
    sex: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    mrn: str | None = field(repr=False)


@dataclass(frozen=True)
class Visit:
    """The encounter of the launch; `subject` is whose it is, for the caller to compare."""

    reference: str
    version: str | None
    status: str
    start: datetime | None
    end: datetime | None
    class_display: str
    reason: str = field(repr=False)
    subject: str
    organization: str | None
    class_coding: str = ""  # system|code, as the codings below
    service_types: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clinician:
    """Who is signed in, as the chart names them."""

    reference: str
    name: str
    role: str


@dataclass(frozen=True)
class ChartItem:
    """One problem, order, allergy or measurement, in words, with the version that was read."""

    kind: Kind
    reference: str
    version: str | None
    name: str = field(repr=False)
    text: str = field(repr=False)
    value: str | None = field(repr=False)
    recorded: datetime | None
    encounter: str | None
    status: str
    codes: tuple[str, ...] = ()  # system|code


@dataclass(frozen=True)
class Document:
    """A note, transcript or letter whose text could be read."""

    reference: str
    version: str | None
    type_codes: tuple[tuple[str, str], ...]
    title: str = field(repr=False)
    date: datetime | None
    encounter: str | None
    content_type: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Unread:
    """What could not be read, or not fully, and the code of why."""

    what: str
    why: str


@dataclass(frozen=True)
class Chart:
    """One reading of a patient's chart; what is missing from it is listed in `unread`."""

    patient: Patient
    visit: Visit | None
    clinician: Clinician | None
    items: tuple[ChartItem, ...]
    documents: tuple[Document, ...]
    unread: tuple[Unread, ...]
