"""What each template receives: plain values, ready to be shown. Builders live beside the pages."""

from dataclasses import dataclass

from app.pages.entry_screens import FiledEntry, ProposalsScreen, ShownEntry


@dataclass(frozen=True)
class Banner:  # always visible, from the launch's own patient
    name: str  # "RIVERA, Ana"
    sex: str  # "F"
    age: int | None
    birth_date: str  # "1962-03-14"
    mrn: str | None
    visit: str  # "Visit 22 Nov 2026, Family medicine"
    clinician: str  # "Dr. Kwame Osei"


@dataclass(frozen=True)
class Landing:  # "where this note will land"
    route: str  # "file" | "copy" | "refuse"
    vendor: str  # "Epic"
    headline: str  # "Epic: files as a signed progress note in this visit"
    why: tuple[str, ...]  # sentences, with sources


@dataclass(frozen=True)
class Evidence:
    number: int  # pill number, unique on the page
    kind: str  # "transcript" | "chart" | "document"
    source: str  # "Transcript 02:14" | "Chart" | "Progress note 3 Mar 2026"
    reference: str  # "MedicationRequest/17, version 3"; "" for the transcript
    before: str
    quote: str
    after: str
    differs: bool  # contradicts the claim
    note: str  # "" or "chart says 20 mg"


@dataclass(frozen=True)
class Choice:  # one-click ways to settle a claim: "Use 20 mg from the chart"
    label: str
    text: str  # the claim text it would set


@dataclass(frozen=True)
class Claim:
    id: str
    text: str
    ai_text: str  # what the AI wrote (may be "")
    state: str  # "supported" | "unsupported" | "contradicted" | "left_blank"
    state_words: str  # "" for supported; "No source found" ; "Differs from the chart" ; "Left for you"
    written_by: str  # "ai" | "clinician"
    tier: str  # "high" | "routine"
    open: bool  # still needs the clinician's decision before signing
    ask: str  # why it is open: "Confirm this plan item" | "Dose differs from the chart" | ...
    decision: str  # "" | "confirmed" | "edited" | "removed"
    removed: bool
    revision: int  # sent back with every change
    evidence: tuple[Evidence, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Attention:
    claim_id: str
    words: str


@dataclass(frozen=True)
class ReviewScreen:  # templates/charts/review.html
    launch_id: str
    csrf: str
    banner: Banner
    landing: Landing
    attention: tuple[Attention, ...]  # at most three, most important first
    attention_total: int
    sections: tuple[Section, ...]
    settled: int  # "2 of 5 confirmed"
    to_settle: int
    unread: tuple[str, ...]  # "The allergy list could not be read (the EHR took too long)"
    drafted_by: str  # "Drafted by extractive 2 from the visit transcript and 14 chart entries"
    proposals: ProposalsScreen | None = None  # None: nothing was proposed
    correcting: str = ""  # "" or what signing this correction will do


@dataclass(frozen=True)
class PreparingScreen:  # templates/charts/preparing.html : no draft yet
    launch_id: str
    csrf: str
    clinician: str
    problem: str  # "" or why the last try failed, in words
    advice: tuple[str, ...]
    code: str  # "" or the short code to quote


@dataclass(frozen=True)
class StillHereScreen:  # templates/charts/still_here.html : nobody used the launch for a while
    launch_id: str
    csrf: str
    banner: Banner | None  # None before there is a draft
    what_happened: str
    clinician: str
    chart: str  # "the chart of RIVERA, Ana"
    back: str  # where they were


@dataclass(frozen=True)
class Change:
    section: str
    before: str
    after: str
    kind: str  # "edited" | "removed" | "added"


@dataclass(frozen=True)
class SignScreen:  # templates/charts/sign.html : the second, deliberate step
    launch_id: str
    csrf: str
    banner: Banner
    landing: Landing
    unresolved: tuple[Attention, ...]  # button absent until empty
    changes: tuple[Change, ...]
    statement: str
    note_text: str
    displayed_hash: str
    patient: str  # hidden fields: "Patient/1"
    encounter: str
    confirm_why: str  # "" or why the patient has to be confirmed on this page
    confirm_token: str  # what the ticked box sends: good for this launch and patient
    problem: str  # "" or e.g. "The draft changed after this page was opened. Read it again, then sign."
    code: str  # "" or the short code to quote
    entries: tuple[ShownEntry, ...] = ()  # what is written beside the note, or handed over
    undecided: int = 0  # proposed entries that are left undecided and lapse
    what: str = "note"  # "note" | "correction" | "addendum"


@dataclass(frozen=True)
class Step:
    key: str  # signed queued sending filed verified | copy copied
    label: str
    state: str  # "done" | "now" | "todo" | "stopped"
    at: str  # "14:32:07" or ""
    words: str


@dataclass(frozen=True)
class Action:
    label: str
    kind: str  # "post" | "link" | "copy"
    url: str


@dataclass(frozen=True)
class Offer:  # one thing that can be done about a signed note
    label: str
    kind: str  # "link" | "post" | "hand": done in the EHR, as `url` is none and `words` say
    url: str = ""
    words: str = ""


@dataclass(frozen=True)
class VersionLine:  # one signed version, for the history on the note's page
    title: str  # "Version 2: correction"
    signed_at: str
    place: str  # where it stands
    reference: str  # "DocumentReference/88" or ""
    retract: Offer | None  # None where it cannot be retracted


@dataclass(frozen=True)
class FiledScreen:  # templates/charts/filed.html; charts/_status.html is also served alone
    launch_id: str
    csrf: str
    banner: Banner
    landing: Landing
    steps: tuple[Step, ...]
    sentence: str  # one sentence: where it stands
    settled: bool  # stop polling
    action: Action | None
    note_text: str
    chart_reference: str  # "DocumentReference/88" or ""
    signed_by: str
    signed_at: str
    entries: tuple[FiledEntry, ...] = ()
    gone: bool = False  # it was in the chart, and is not there any more
    change_entries: str = ""  # who changes one of them, and where
    offers: tuple[Offer, ...] = ()  # what can be done about it now
    versions: tuple[VersionLine, ...] = ()  # only where there is more than one


@dataclass(frozen=True)
class Option:
    value: str
    words: str


@dataclass(frozen=True)
class ChangeScreen:  # templates/charts/change.html : what a change of a signed note comes to, and why it is made
    launch_id: str
    csrf: str
    banner: Banner
    title: str
    sentence: str  # what will happen
    may: bool
    reasons: tuple[Option, ...]
    button: str
    patient: str
    signed_at: str
    note_text: str
    confirm_why: str
    confirm_token: str
    problem: str
    code: str


@dataclass(frozen=True)
class AddendumScreen:  # templates/charts/addendum.html
    launch_id: str
    csrf: str
    banner: Banner
    sentence: str
    text: str
    signed_at: str
    note_text: str
    problem: str
    code: str


@dataclass(frozen=True)
class EndedScreen:  # templates/charts/ended.html
    filing: str  # "" or "2 signed notes are still being filed in Epic. That goes on without you."


@dataclass(frozen=True)
class StoryLine:
    at: str
    who: str
    what: str
    detail: str  # versions and short hashes


@dataclass(frozen=True)
class Kept:  # one kept artifact
    title: str  # "AI draft" "Signed text" "Submitted payload" "The EHR's reply" "What the EHR stored" "Provenance"
    digest: str
    text: str


@dataclass(frozen=True)
class RecordScreen:  # templates/charts/record.html
    launch_id: str
    banner: Banner
    story: tuple[StoryLine, ...]
    kept: tuple[Kept, ...]


@dataclass(frozen=True)
class ProblemScreen:  # templates/problem.html
    title: str
    what_happened: str
    what_to_do: tuple[str, ...]
    code: str  # short code to quote to the admin
    back_url: str
    back_label: str
