"""The embedded drafter: deterministic, no network, no model. It quotes; it never rephrases, so it cannot invent.

Each claim is a sentence of the transcript or an entry of the chart, tidied of fillers and set in its section, with the
exact passage as evidence. What it cannot find it leaves to the clinician.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from app.drafting import cues
from app.drafting.draft import Claim, ClaimState, Draft, Evidence, Source, Tier
from app.drafting.gate import GATE_VERSION, check, contradicting_evidence
from app.drafting.material import Entry, VisitMaterial
from app.drafting.template import SECTIONS, TEMPLATE_VERSION
from app.drafting.transcript import Sentence, read_sentences

MOST = {"hpi": 14, "answers": 10, "exam": 10, "assessment": 6, "plan": 12, "results": 12, "vitals": 8}
CHART_SECTIONS = {
    "problems": "condition",
    "medications": "medication",
    "allergies": "allergy",
    "vitals": "vital",
    "results": "lab",
}


@dataclass(frozen=True)
class Statement:
    """A line of the note before it has been checked: where it goes, what it says, and the passages behind it."""

    section: str
    text: str
    evidence: tuple[Evidence, ...]
    tier: Tier = Tier.ROUTINE


class ExtractiveDrafter:
    """Builds a visit note from transcript sentences and chart entries."""

    name = "extractive"
    version = "1"
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
        )


def _from_transcript(transcript: Source | None) -> Iterator[Statement]:
    if transcript is None:
        return
    sentences = read_sentences(transcript.text)
    yield from _answers(transcript, sentences)
    for sentence in sentences:
        section = _section_of(sentence)
        text = _tidied(sentence.text)
        if section and len(text.split()) >= 4:
            tier = Tier.HIGH if section == "plan" and cues.ACTION.search(text) else Tier.ROUTINE
            speaker = "" if sentence.clinician else "Patient: "
            yield Statement(section, f"{speaker}“{text}”", (_cite(transcript, sentence),), tier)


def _section_of(sentence: Sentence) -> str:
    text = sentence.text
    if sentence.is_question or cues.SMALL_TALK.search(text):
        return ""
    if not sentence.clinician:
        return "hpi" if cues.SYMPTOM.search(text) or cues.TIME.search(text) else ""
    if cues.EXAM_REPORT.search(text):
        return "exam"
    if cues.PLAN.search(text) and cues.ACTION.search(text) and not cues.PRESENTATION.search(text):
        return "plan"
    if cues.EXAM.search(text):
        return "exam"
    if cues.PRESENTATION.search(text):
        return "hpi"
    return "assessment" if cues.ASSESSMENT.search(text) else ""


def _answers(transcript: Source, sentences: list[Sentence]) -> Iterator[Statement]:
    """A clinician's question about something, followed at once by the patient's yes or no."""
    for question, answer in pairwise(sentences):
        asked = question.clinician and question.is_question and cues.ASKED_ABOUT.search(question.text)
        replied = not answer.clinician and (cues.ANSWER_NO.search(answer.text) or cues.ANSWER_YES.search(answer.text))
        if asked and replied:
            text = f"Asked “{_tidied(question.text)}”, answered “{_tidied(answer.text, keep_start=True)}”"
            evidence = Evidence(source_id=transcript.id, start=question.start, end=answer.end, label=_place(question))
            yield Statement("answers", text, (evidence,))


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
        tier = Tier.HIGH if other and finding.state is not ClaimState.SUPPORTED else statement.tier
        ask = finding.ask
        if not ask and tier is Tier.HIGH:
            ask = f"Confirm this plan item; the {other.note}." if other else "Confirm this plan item."
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
    return Evidence(source_id=transcript.id, start=sentence.start, end=sentence.end, label=_place(sentence))


def _cite_entry(entry: Entry) -> Evidence:
    return Evidence(source_id=entry.source.id, start=0, end=len(entry.source.text), label="Chart")


def _place(sentence: Sentence) -> str:
    return f"Transcript {sentence.time}" if sentence.time else f"Transcript, turn {sentence.turn + 1}"


def _tidied(text: str, *, keep_start: bool = False) -> str:
    """Fillers and speech recognition's spacing removed; no word of content changes."""
    text = re.sub(r"\s+", " ", text).strip()
    if not keep_start:
        text = cues.LEADING_FILLER.sub("", text)
    text = cues.INNER_FILLER.sub(" ", text)
    text = re.sub(r"\b(wan|gon|got) (na|ta)\b", r"\1\2", re.sub(r"\b(\w+) (n't)\b", r"\1\2", text))
    text = re.sub(r"\s+([,.?!])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,")
    text = re.sub(r"\bi(?=\b(?:'|\s))", "I", text)
    return text[:1].upper() + text[1:]
