"""What a drafter works from: the chart as it was read, arranged as sources that evidence can point into."""

from dataclasses import dataclass

from app.drafting.draft import ClinicianIdentity, PatientIdentity, Source, VisitIdentity


@dataclass(frozen=True)
class Entry:
    """One chart entry: its source, what kind of thing it is, and the name and value when it has them."""

    source: Source
    kind: str
    name: str
    value: str
    in_this_visit: bool
    codes: tuple[str, ...] = ()  # system|code, as the chart has them


@dataclass(frozen=True)
class VisitMaterial:
    """Everything that was read for one visit. `unread` says in words what could not be read."""

    patient: PatientIdentity
    visit: VisitIdentity | None
    clinician: ClinicianIdentity
    transcript: Source | None
    entries: tuple[Entry, ...]
    documents: tuple[Source, ...]
    unread: tuple[str, ...]

    def of_kind(self, kind: str) -> list[Entry]:
        """The chart entries of one kind, in the order in which they were read."""
        return [entry for entry in self.entries if entry.kind == kind]
