"""What a person can do about a write that stopped, in words: each ending its button and what it does."""

from app.pages.stopped_screens import EndingOffer
from app.writebacks.endings import Ending, Person, endings_for
from app.writebacks.events import WritebackQueued
from app.writebacks.state import WritebackState

WORDS = {
    Ending.SIGN_IN: ("", "Start Countersign again from this chart. It goes on by itself."),
    Ending.SWITCH_ON: ("", "It goes on by itself when your organisation switches filing on again."),
    Ending.LOOK_AGAIN: ("Look again", "Countersign asks the EHR once more and goes on from what it finds."),
    Ending.IN_CHART: ("It is in the chart", "You looked and found it there. Nothing is sent any more."),
    Ending.ACCEPT: ("I looked, and it is right", "What stands in the chart counts. Countersign stops following it."),
    Ending.COPY: (
        "I copied it into the chart",
        "Copy the text first. Press this when it is there. Nothing is sent any more.",
    ),
    Ending.ABANDON: (
        "Give it up",
        "Nothing is sent any more, and nothing is taken out of the chart. It stays signed here.",
    ),
}
# Of a retraction: what is to come into the chart is a mark, and no text.
OF_RETRACTION = WORDS | {
    Ending.IN_CHART: ("It is marked in the chart", "You looked: the note is marked there as entered in error."),
    Ending.COPY: (
        "I marked it in the chart",
        "You marked the note there as entered in error. Nothing is sent any more.",
    ),
    Ending.ABANDON: ("Give the retraction up", "Nothing is sent any more. The note stays in the chart as it is there."),
}
# Of what is exactly as it was signed, and is there though it was replaced or ended.
OF_AS_SIGNED = WORDS | {
    Ending.ACCEPT: (
        "It may stay as it is",
        "Nothing is changed in the chart, and Countersign stops following it.",
    ),
}
if missing := set(Ending) - WORDS.keys():
    raise TypeError(f"these endings have no words: {sorted(missing)}")


def ending_offers(state: WritebackState, person: Person) -> tuple[EndingOffer, ...]:
    """What this person can do about the write, the best first; one without a button is a hint."""
    words = OF_RETRACTION if is_retraction(state) else OF_AS_SIGNED if state.stands_as_signed else WORDS
    return tuple(EndingOffer(one, *words[one]) for one in endings_for(state, person))


def is_retraction(state: WritebackState) -> bool:
    """Whether this write marks a note as entered in error."""
    return isinstance(state.order, WritebackQueued) and state.order.mutation == "retract"
