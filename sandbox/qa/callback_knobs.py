"""Knobs of the change notices that the EHR posts; what they do is in `callbacks.py`, since no request is answered."""

from flask import Response

from sandbox.qa.callbacks import DISTORTIONS
from sandbox.qa.faults import Fault
from sandbox.qa.knob import Knob, Proceed

WORDS = {
    "callback_twice": "The notice comes twice",
    "callback_reordered": "The notice comes after the next one",
    "callback_late": "The notice comes as many seconds later",
    "callback_lost": "The notice never comes",
    "callback_skewed": "The notice is dated by a clock that is as many seconds wrong (also below zero)",
    "callback_bad_signature": "The notice is signed with another secret",
    "callback_unsigned": "The notice has no signature",
    "callback_garbled": "The notice is cut short",
    "callback_replayed": "With the notice come all earlier ones again, as they were",
}


def _untouched(proceed: Proceed, _fault: Fault) -> Response:
    return proceed()


CALLBACK_KNOBS: dict[str, Knob] = {
    name: Knob(_untouched, WORDS[name], ("callback",), backwards=name == "callback_skewed") for name in DISTORTIONS
}
