"""A verdict is a value: a rule allows, or refuses with a code for machines and a sentence for the clinician."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why something may not be done."""

    code: str
    sentence: str
