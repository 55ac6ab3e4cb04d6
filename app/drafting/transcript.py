"""Reading a visit transcript: turns and sentences, each with its exact place in the text as it was read.

Real transcripts come unpunctuated, with a lone full stop as the decimal point, and with the speakers' labels
swapped for a whole visit; nothing here trusts a label without looking at what that speaker says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

TURN = re.compile(
    r"^[ \t]*(?:\[(?P<time>\d{1,2}:\d{2}(?::\d{2})?)\][ \t]*)?"
    r"(?:\[(?P<bracket>[A-Za-z_ '\u2019]{2,30})\]|(?P<label>[A-Z][A-Za-z]{2,14}):)?[ \t]*(?P<speech>\S.*)$",
    re.MULTILINE,
)
SENTENCE = re.compile(r"\S.*?(?:[.?!]+(?=\s)(?!\s*\d)|$)", re.DOTALL)
LONGEST = 220
PAUSE = re.compile(r"\s(?=(?:okay|alright|all right|so|now|and then|but|entonces|pero)\b)", re.IGNORECASE)
CLINICIAN_LABELS = {"doctor", "dr", "clinician", "provider", "physician", "nurse"}
CLINICIAN_TALK = re.compile(
    r"\b(let's|let me|we'll|i'm going to|i'd like you|i want you|go ahead and|any (?:other )?"
    r"(?:pain|fever|chest|nausea|symptoms|allergies|problems|swelling|chills)|have you|do you have|"
    r"on (?:your )?exam|your lungs|follow up|prescri\w+|milligrams?|refer\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """One sentence with its place (characters from `start` to `end`), its speaker and the time it was said at."""

    text: str
    start: int
    end: int
    turn: int
    clinician: bool
    time: str

    @property
    def is_question(self) -> bool:
        """True when it ends as a question."""
        return self.text.rstrip().endswith("?")


@dataclass(frozen=True)
class Turn:
    """What one person said before the other went on."""

    sentences: tuple[Sentence, ...]

    @property
    def clinician(self) -> bool:
        """Who speaks."""
        return self.sentences[0].clinician

    @property
    def start(self) -> int:
        """Where it begins in the transcript."""
        return self.sentences[0].start

    @property
    def end(self) -> int:
        """Where it ends in the transcript."""
        return self.sentences[-1].end

    @property
    def text(self) -> str:
        """All that was said in it."""
        return " ".join(sentence.text for sentence in self.sentences)


def read_turns(text: str) -> list[Turn]:
    """Every turn of the transcript in order."""
    return [Turn(tuple(sentences)) for _, sentences in groupby(_sentences(text), key=lambda sentence: sentence.turn)]


def _sentences(text: str) -> list[Sentence]:
    sentences = []
    for index, turn in enumerate(TURN.finditer(text)):
        label = (turn["bracket"] or turn["label"] or "").strip().lower()
        for first, last in _spans(turn["speech"]):
            start, end = turn.start("speech") + first, turn.start("speech") + last
            is_clinician = label in CLINICIAN_LABELS
            sentences.append(Sentence(text[start:end], start, end, index, is_clinician, turn["time"] or ""))
    return _unswapped(sentences)


def _spans(speech: str) -> Iterator[tuple[int, int]]:
    """Where the sentences of one turn begin and end; a long run without a full stop is cut at its pauses."""
    for found in SENTENCE.finditer(speech):
        start, end = found.start(), found.start() + len(found[0].rstrip())
        for pause in PAUSE.finditer(speech, start + LONGEST // 3, end):
            if end - start > LONGEST and pause.start() - start > LONGEST // 3:
                yield start, pause.start()
                start = pause.end()
        yield start, end


def _unswapped(sentences: list[Sentence]) -> list[Sentence]:
    """Exchange the two speakers when the one labelled patient plainly talks like the clinician."""
    rates = {side: _talk_rate([s for s in sentences if s.clinician is side]) for side in (True, False)}
    if rates[False] > 2 * rates[True] and rates[False] > 0.1:
        return [replace(sentence, clinician=not sentence.clinician) for sentence in sentences]
    return sentences


def _talk_rate(sentences: list[Sentence]) -> float:
    hits = sum(1 for sentence in sentences if CLINICIAN_TALK.search(sentence.text))
    return hits / len(sentences) if sentences else 0.0
