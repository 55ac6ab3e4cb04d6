"""The embedded drafter: deterministic, no network, no model. It quotes; it never rephrases, so it cannot invent.

Each claim is a sentence of the transcript or an entry of the chart, tidied of fillers and set in its section, with the
exact passage as evidence. What it cannot find it leaves to the clinician. Beside the note it proposes the few
structured entries that were said in so many words (`spoken_proposals.py`).
"""

from collections.abc import Iterable, Iterator

from app.drafting import cues
from app.drafting.draft import Claim, Draft, Evidence, Source, Tier
from app.drafting.gate import GATE_VERSION, check, contradicting_evidence
from app.drafting.history import history
from app.drafting.material import Entry, VisitMaterial
from app.drafting.proposals import checked
from app.drafting.spoken_proposals import spoken_proposals
from app.drafting.statement import Statement, place, tidied
from app.drafting.template import SECTIONS, TEMPLATE_VERSION
from app.drafting.transcript import Sentence, read_turns

MOST = {"hpi": 14, "answers": 10, "exam": 10, "assessment": 6, "plan": 12, "results": 12, "vitals": 8}
FEWEST_WORDS = 3
# Where a clinician would look in the chart for an entry of this kind.
LISTS = {
    "condition": "Problem list",
    "medication": "Medication list",
    "allergy": "Allergy list",
    "vital": "Vital signs",
    "lab": "Results",
}
CHART_SECTIONS = {
    "problems": "condition",
    "medications": "medication",
    "allergies": "allergy",
    "vitals": "vital",
    "results": "lab",
}


class ExtractiveDrafter:
    """Builds a visit note from transcript sentences and chart entries."""

    name = "extractive"
    version = "2"
    prompt_version = "none"

    def draft(self, material: VisitMaterial) -> Draft:
        """The same material always gives the same draft."""
        statements = [*_from_transcript(material.transcript), *_from_chart(material)]
        medications = material.of_kind("medication")
        claims = list(_checked(_in_order(statements), material, medications))
        sources = [
            *filter(None, [material.transcript]),
            *(entry.source for entry in material.entries),
            *material.documents,
        ]
        return Draft(
            drafter=self.name,
            drafter_version=self.version,
            prompt_version=self.prompt_version,
            template_version=TEMPLATE_VERSION,
            gate_version=GATE_VERSION,
            patient=material.patient,
            visit=material.visit,
            clinician=material.clinician,
            claims=tuple(claims),
            sources=tuple(sources),
            unread=material.unread,
            proposals=checked(spoken_proposals(material), material),
        )


def _from_transcript(transcript: Source | None) -> Iterator[Statement]:
    if transcript is None:
        return
    turns = read_turns(transcript.text)
    yield from history(transcript, turns)
    for sentence in (sentence for turn in turns if turn.clinician for sentence in turn.sentences):
        section, text = _section_of(sentence), tidied(sentence.text)
        if section and len(text.split()) >= FEWEST_WORDS:
            tier = Tier.HIGH if section == "plan" else Tier.ROUTINE
            yield Statement(section, f"“{text}”", (_cite(transcript, sentence),), tier)


def _section_of(sentence: Sentence) -> str:
    """The section that a clinician's sentence belongs to; empty when it belongs to none."""
    text = sentence.text
    if sentence.is_question or cues.SMALL_TALK.search(text):
        return ""
    if cues.PRESENTATION.search(text):
        return "hpi"
    if cues.EXAM_REPORT.search(text):
        return "exam"
    if cues.PLAN.search(text) and cues.ACTION.search(text):
        return "plan"
    if cues.EXAM.search(text):
        return "exam"
    return "assessment" if cues.ASSESSMENT.search(text) else ""


def _from_chart(material: VisitMaterial) -> Iterator[Statement]:
    for section, kind in CHART_SECTIONS.items():
        entries = material.of_kind(kind)
        if kind == "vital":
            entries = [entry for entry in entries if entry.in_this_visit]
        for entry in entries:
            yield Statement(section, _chart_line(entry), (_cite_entry(entry),))


def _chart_line(entry: Entry) -> str:
    return entry.source.text.splitlines()[0] if entry.source.text else entry.name


def _in_order(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Section by section, without repeats, each section within its limit; an empty section is left to the clinician."""
    by_section: dict[str, list[Statement]] = {section.id: [] for section in SECTIONS}
    for statement in statements:
        taken = by_section[statement.section]
        if len(taken) < MOST.get(statement.section, 40) and statement.text not in {other.text for other in taken}:
            taken.append(statement)
    for section in SECTIONS:
        yield from by_section[section.id]
        if section.left_for_you and not by_section[section.id]:
            yield Statement(section.id, "", ())


def _checked(statements: Iterable[Statement], material: VisitMaterial, medications: list[Entry]) -> Iterator[Claim]:
    sources = {
        source.id: source for source in filter(None, [material.transcript, *(e.source for e in material.entries)])
    }
    for number, statement in enumerate(statements, start=1):
        passages = [sources[cited.source_id].text[cited.start : cited.end] for cited in statement.evidence]
        finding = check(statement.text, passages, medications)
        other = contradicting_evidence(statement.text, medications)
        evidence = (*statement.evidence, other) if other else statement.evidence
        tier = Tier.HIGH if other else statement.tier
        ask = finding.ask or ("Confirm this plan item." if tier is Tier.HIGH else "")
        yield Claim(
            id=f"c{number:03d}",
            section=statement.section,
            text=statement.text,
            tier=tier,
            state=finding.state,
            ask=ask,
            evidence=evidence,
            choices=finding.choices,
        )


def _cite(transcript: Source, sentence: Sentence) -> Evidence:
    return Evidence(source_id=transcript.id, start=sentence.start, end=sentence.end, label=place(sentence))


def _cite_entry(entry: Entry) -> Evidence:
    return Evidence(source_id=entry.source.id, start=0, end=len(entry.source.text), label=LISTS[entry.kind])
