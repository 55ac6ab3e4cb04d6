"""What the templates receive about entries beside a note: plain values, ready to be shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ShownField:
    """One field of the form that changes an entry."""

    name: str
    label: str
    written_as: str
    value: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Quote:
    """The passage that a proposal rests on."""

    source: str
    before: str
    words: str
    after: str


@dataclass(frozen=True)
class ShownProposal:
    """One proposal: `standing` is offered, approved, declined or already."""

    id: str
    words: str
    kind: str
    standing: str
    revision: int
    becomes: str
    by_hand: bool
    ask: str
    beside: str
    already: str
    was: str
    confirm: str
    quotes: tuple[Quote, ...]
    fields: tuple[ShownField, ...]


@dataclass(frozen=True)
class ProposalsScreen:
    """The part of the review page about proposals.

    `together`: what one press may approve, as id and revision; its button stands after the proposal `together_after`.
    """

    csrf: str
    proposals: tuple[ShownProposal, ...]
    together: tuple[str, ...]
    together_after: str
    undecided: int
    approved: int


@dataclass(frozen=True)
class ShownEntry:
    """One entry on the sign page."""

    words: str
    kind: str
    becomes: str
    by_hand: bool


@dataclass(frozen=True)
class FiledEntry:
    """One entry that was signed beside the note, and where its write stands."""

    proposal_id: str
    words: str
    kind: str
    sentence: str  # where its write stands
    stopped: bool
    settled: bool
    by_hand: bool  # waits to be entered by hand
    reference: str  # "Observation/12" or ""
    left: bool = False  # whether it was sent, and is in the chart or may be
    ends_here: bool = False  # whether the page about what stopped says something of it
