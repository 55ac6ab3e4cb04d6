"""Every fault knob, in one table, for every page and test that switches them: adding one is a function and an entry."""

from sandbox.qa.answer_knobs import ANSWER_KNOBS
from sandbox.qa.discovery_knobs import DISCOVERY_KNOBS
from sandbox.qa.faults import Fault
from sandbox.qa.id_token_knobs import ID_TOKEN_KNOBS
from sandbox.qa.knob import Knob
from sandbox.qa.sign_in_knobs import SIGN_IN_KNOBS
from sandbox.qa.token_knobs import TOKEN_KNOBS

USUAL_INTERACTION = "create"
KNOBS: dict[str, Knob] = {**ANSWER_KNOBS, **SIGN_IN_KNOBS, **TOKEN_KNOBS, **ID_TOKEN_KNOBS, **DISCOVERY_KNOBS}


class NoSuchKnob(ValueError):
    """A fault that no knob makes, or not in this way."""


def usable(fault: Fault, *, for_one_launch: bool = False) -> Fault:
    """The fault with its interaction filled in. Raises NoSuchKnob in words for the person who armed it."""
    knob = KNOBS.get(fault.fault)
    if knob is None:
        raise NoSuchKnob(f"no such knob: {fault.fault}")
    if fault.seconds < 0 and not knob.backwards:
        raise NoSuchKnob(f"{fault.fault} cannot take less than no time")
    if for_one_launch and not knob.can_be_one_launchs:
        raise NoSuchKnob(f"{fault.fault} is of the whole EHR: no request says which launch it is for")
    usual = knob.on[0] if knob.on else USUAL_INTERACTION
    return fault.model_copy(update={"interaction": fault.interaction or usual})
