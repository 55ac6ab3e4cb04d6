"""The patient's side of the visit: what they said by themselves, and what they answered when asked."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.drafting import cues
from app.drafting.draft import Evidence, Source
from app.drafting.statement import Statement, place, tidied
from app.drafting.transcript import Sentence, Turn

LONGEST_WORDS = 260


def history(transcript: Source, turns: Sequence[Turn]) -> Iterator[Statement]:
    """The statements of the history, from the turns before the examination begins."""
    before_exam = turns[: _exam_begins(turns)]
    for asked, told in pairwise(before_exam):
        if told.clinician or cues.SMALL_TALK.search(told.text):
            continue
        question = _question(asked) if asked.clinician else ""
        if question and (cues.ANSWER_NO.search(told.text) or cues.ANSWER_YES.search(told.text)):
            if _clinical(question) or _clinical(told.text):
                yield _answer(transcript, asked, question, told)
        elif _clinical(told.text) or (question and _clinical(question)):
            yield _own_words(transcript, asked, question, told)


def _exam_begins(turns: Sequence[Turn]) -> int:
    for index, turn in enumerate(turns):
        findings = sum(1 for sentence in turn.sentences if cues.EXAM.search(sentence.text) and not sentence.is_question)
        if turn.clinician and (findings >= 2 or cues.EXAM_REPORT.search(turn.text)):
            return index
    return len(turns)


def _question(turn: Turn) -> str:
    """The turn from its first question on; empty when it asks nothing."""
    asking = [sentence for sentence in turn.sentences if sentence.is_question]
    return tidied(" ".join(sentence.text for sentence in asking)) if asking else ""


def _clinical(text: str) -> bool:
    return bool(cues.SYMPTOM.search(text) or cues.TIME.search(text) or cues.ASKED_ABOUT.search(text))


def _answer(transcript: Source, asked: Turn, question: str, told: Turn) -> Statement:
    text = f"Asked “{question}”, answered “{_shortened(tidied(told.text, keep_start=True))}”"
    return Statement("answers", text, (_cite(transcript, _first_question(asked), told),))


def _own_words(transcript: Source, asked: Turn, question: str, told: Turn) -> Statement:
    because = f" (asked “{question}”)" if question else ""
    text = f"Patient{because}: “{_shortened(tidied(told.text))}”"
    first = _first_question(asked) if question else told.sentences[0]
    return Statement("hpi", text, (_cite(transcript, first, told),))


def _first_question(turn: Turn) -> Sentence:
    return next(sentence for sentence in turn.sentences if sentence.is_question)


def _cite(transcript: Source, first: Sentence, told: Turn) -> Evidence:
    return Evidence(source_id=transcript.id, start=first.start, end=told.end, label=place(first))


def _shortened(text: str) -> str:
    """At most so many characters, cut between words and marked as cut."""
    if len(text) <= LONGEST_WORDS:
        return text
    return text[:LONGEST_WORDS].rsplit(" ", 1)[0].rstrip(" ,") + " …"
