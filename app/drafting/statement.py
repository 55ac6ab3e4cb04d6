"""A line of the note before it has been checked, and how spoken words become one."""

import re
from dataclasses import dataclass

from app.drafting import cues
from app.drafting.draft import Evidence, Tier
from app.drafting.transcript import Sentence

STAGE_DIRECTION = re.compile(r"\[[a-z ]{2,30}\]", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """Where a line goes, what it says, and the passages behind it."""

    section: str
    text: str
    evidence: tuple[Evidence, ...]
    tier: Tier = Tier.ROUTINE


def place(sentence: Sentence) -> str:
    """Where in the transcript, as people would say it."""
    return f"Transcript {sentence.time}" if sentence.time else f"Transcript, turn {sentence.turn + 1}"


def tidied(text: str, *, keep_start: bool = False) -> str:
    """Fillers and speech recognition's spacing removed; no word of content changes."""
    text = re.sub(r"\s+", " ", STAGE_DIRECTION.sub(" ", text)).strip()
    if not keep_start:
        text = cues.LEADING_FILLER.sub("", text)
    text = cues.INNER_FILLER.sub(" ", text)
    text = re.sub(r"\b(wan|gon|got) (na|ta)\b", r"\1\2", re.sub(r"\b(\w+) (n't)\b", r"\1\2", text))
    text = re.sub(r"\s+([,.?!])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,")
    text = re.sub(r"\bi(?=\b(?:'|\s))", "I", text)
    return re.sub(r"(?:^|(?<=[.?!] ))[^\W\d_]", lambda first: first[0].upper(), text)
