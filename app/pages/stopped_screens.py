"""What the template of the page about stopped writes is given."""

from dataclasses import dataclass

from app.pages.screens import Banner


@dataclass(frozen=True)
class Answer:
    question: str
    answer: str


@dataclass(frozen=True)
class EndingOffer:
    value: str
    label: str  # "" where nothing can be pressed: a hint
    words: str


@dataclass(frozen=True)
class StoppedWrite:  # one write that waits for its signer
    writeback_id: str
    title: str
    sentence: str
    answers: tuple[Answer, ...]
    chart_text: str  # what the EHR holds now, where that differs
    signed_text: str  # to compare with it, or to copy
    to_copy: bool  # whether that text may have to be copied into the chart
    endings: tuple[EndingOffer, ...]


@dataclass(frozen=True)
class StoppedScreen:  # templates/charts/stopped.html
    launch_id: str
    csrf: str
    banner: Banner
    writes: tuple[StoppedWrite, ...]
