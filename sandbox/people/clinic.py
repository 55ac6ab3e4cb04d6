"""What every resource of one EHR is made with."""

from dataclasses import dataclass

from sandbox.people.calendar import Calendar
from sandbox.people.ids import Ids
from sandbox.people.patient_file import Organization


@dataclass(frozen=True)
class Clinic:
    """How ids are spelled, when "today" is, and who runs the place."""

    ids: Ids
    calendar: Calendar
    organization: Organization
