"""What a person can do about a write that stopped, in words: each ending its button and what it does."""

from app.pages.stopped_screens import EndingOffer
from app.writebacks.endings import Ending, Person, endings_for
from app.writebacks.state import WritebackState

WORDS = {
    Ending.SIGN_IN: ("", "Start Countersign again from this chart. It goes on by itself."),
    Ending.SWITCH_ON: ("", "It goes on by itself when your organisation switches filing on again."),
    Ending.LOOK_AGAIN: ("Look again", "Countersign asks the EHR once more and goes on from what it finds."),
    Ending.IN_CHART: ("It is in the chart", "You looked and found it there. Nothing is sent any more."),
    Ending.ACCEPT: ("I looked, and it is right", "What stands in the chart counts. Countersign stops following it."),
    Ending.COPY: ("I copied it into the chart", "Copy the text first. Nothing is sent any more."),
    Ending.ABANDON: ("Give it up", "It is not to be in the chart any more. It stays signed here."),
}
if missing := set(Ending) - WORDS.keys():
    raise TypeError(f"these endings have no words: {sorted(missing)}")


def ending_offers(state: WritebackState, person: Person) -> tuple[EndingOffer, ...]:
    """What this person can do about the write, the best first; one without a button is a hint."""
    return tuple(EndingOffer(one, *WORDS[one]) for one in endings_for(state, person))
