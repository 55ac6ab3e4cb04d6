"""The draft: sections of claims, each claim with its evidence. Values only; kept for ever as the AI original."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from typing_extensions import override

from app.event_log.canonical import canonical_json, digest
from vendors.entry_values import Content, EntryKind


class Value(BaseModel):
    """A frozen value with a canonical form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def canonical(self) -> bytes:
        """Canonical JSON bytes; equal values give equal bytes."""
        return canonical_json(self.model_dump(mode="json"))


class SourceKind(StrEnum):
    """Where evidence can come from."""

    TRANSCRIPT = "transcript"
    CHART = "chart"
    DOCUMENT = "document"


class ClaimState(StrEnum):
    """What the deterministic gate found."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"
    LEFT_BLANK = "left_blank"


class Tier(StrEnum):
    """How much attention a claim demands: a high-risk claim is confirmed one by one."""

    HIGH = "high"
    ROUTINE = "routine"


class Source(Value):
    """One thing that evidence points into: the exact text as it was read, and which version of what it was."""

    id: str
    kind: SourceKind
    reference: str
    version: str | None
    title: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text as read."""
        return digest(self.text.encode())


class Evidence(Value):
    """An exact passage: characters `start` to `end` of a source's text."""

    source_id: str
    start: int
    end: int
    differs: bool = False
    note: str = ""
    label: str = ""


class Choice(Value):
    """A text that would settle a claim in one step."""

    label: str
    text: str


class Finding(Value):
    """What the gate concluded about one text: a state, and why it is open if it is."""

    state: ClaimState
    ask: str = ""
    choices: tuple[Choice, ...] = ()
    against_chart: bool = False


class Claim(Value):
    """One statement of the note. `ask` is why a clinician must decide it before signing; empty: need not."""

    id: str
    section: str
    text: str
    tier: Tier
    state: ClaimState
    ask: str = ""
    evidence: tuple[Evidence, ...] = ()
    choices: tuple[Choice, ...] = ()


class Proposal(Value):
    """One structured entry offered beside the note.

    `already`: what of the chart says the same, so that it is not offered. `beside`: what the chart says instead.
    """

    id: str
    content: Content
    state: ClaimState
    ask: str = ""
    evidence: tuple[Evidence, ...] = ()
    already: str = ""
    beside: str = ""

    @property
    def kind(self) -> EntryKind:
        """Which kind of entry it is."""
        return EntryKind(self.content.kind)


class PatientIdentity(Value):
    """Who the note is about, as the chart said when the draft was made."""

    reference: str
    version: str | None
    family: str
    given: str
    sex: str
    birth_date: date | None
    mrn: str | None


class VisitIdentity(Value):
    """Which visit the note is about."""

    reference: str
    version: str | None
    title: str
    start: datetime | None
    end: datetime | None
    organization: str | None


class ClinicianIdentity(Value):
    """Who reviews and signs."""

    reference: str
    name: str


class Draft(Value):
    """Everything that one generation produced and everything it rested on."""

    drafter: str
    drafter_version: str
    prompt_version: str
    template_version: str
    gate_version: str
    patient: PatientIdentity
    visit: VisitIdentity | None
    clinician: ClinicianIdentity
    claims: tuple[Claim, ...]
    sources: tuple[Source, ...]
    unread: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()

    @override
    def canonical(self) -> bytes:
        """Canonical JSON bytes. Drafts were kept before there were proposals, and one without has the same bytes."""
        return canonical_json(self.model_dump(mode="json", exclude=None if self.proposals else {"proposals"}))

    def claim(self, claim_id: str) -> Claim | None:
        """The claim with this id, if there is one."""
        return next((claim for claim in self.claims if claim.id == claim_id), None)

    def proposal(self, proposal_id: str) -> Proposal | None:
        """The proposal with this id, if there is one."""
        return next((one for one in self.proposals if one.id == proposal_id), None)

    def source(self, source_id: str) -> Source:
        """The source with this id; evidence never points elsewhere."""
        return next(source for source in self.sources if source.id == source_id)

    def passage(self, evidence: Evidence) -> str:
        """The exact passage that a piece of evidence points at."""
        return self.source(evidence.source_id).text[evidence.start : evidence.end]
