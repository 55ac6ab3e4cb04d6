"""Every fault knob, in one table, for every page and test that switches them: adding one is a function and an entry."""

from sandbox.qa.answer_knobs import ANSWER_KNOBS
from sandbox.qa.callback_knobs import CALLBACK_KNOBS
from sandbox.qa.discovery_knobs import DISCOVERY_KNOBS
from sandbox.qa.faults import RANDOM, Fault
from sandbox.qa.id_token_knobs import ID_TOKEN_KNOBS
from sandbox.qa.knob import Knob
from sandbox.qa.sign_in_knobs import SIGN_IN_KNOBS
from sandbox.qa.token_knobs import TOKEN_KNOBS
from sandbox.qa.write_knobs import WRITE_KNOBS

USUAL_INTERACTION = "create"
KNOBS: dict[str, Knob] = {
    **ANSWER_KNOBS,
    **WRITE_KNOBS,
    **SIGN_IN_KNOBS,
    **TOKEN_KNOBS,
    **ID_TOKEN_KNOBS,
    **DISCOVERY_KNOBS,
    **CALLBACK_KNOBS,
}


class NoSuchKnob(ValueError):
    """A fault that no knob makes, or not in this way."""


def is_setting(fault: Fault) -> bool:
    """Whether the fault changes how the EHR works, instead of spoiling an answer; a random one spoils."""
    return fault.fault != RANDOM and KNOBS[fault.fault].setting


def usable(fault: Fault, *, for_one_launch: bool = False) -> Fault:
    """The fault with interaction and type filled in. Raises NoSuchKnob in words for the person who armed it."""
    if fault.fault == RANDOM:
        return _usable_random(fault, for_one_launch=for_one_launch)
    knob = KNOBS.get(fault.fault)
    if knob is None:
        raise NoSuchKnob(f"no such knob: {fault.fault}")
    if fault.seconds < 0 and not knob.backwards:
        raise NoSuchKnob(f"{fault.fault} cannot take less than no time")
    if for_one_launch and not knob.can_be_one_launchs:
        raise NoSuchKnob(f"{fault.fault} is of the whole EHR: no request says which launch it is for")
    usual = knob.on[0] if knob.on else USUAL_INTERACTION
    filled = {"interaction": fault.interaction or usual, "resource_type": fault.resource_type or knob.of_type}
    return fault.model_copy(update=filled)


def _usable_random(fault: Fault, *, for_one_launch: bool) -> Fault:
    names = fault.options.get("knobs")
    if not isinstance(names, list) or not names:
        raise NoSuchKnob('random needs options: {"knobs": [names to draw from]}')
    for name in names:
        usable(fault.model_copy(update={"fault": str(name)}), for_one_launch=for_one_launch)
        if KNOBS[name].setting:
            raise NoSuchKnob(f"{name} is a setting: arm it by itself, with a probability")
    return fault.model_copy(update={"interaction": fault.interaction or USUAL_INTERACTION})
