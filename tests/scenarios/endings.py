"""How a scenario ends: what the EHR's own store, our log and the clinician's page say when nothing moves any more.

`ENDINGS` is the whole language of the end: words, and what they compare. The README shows the same table.
"""

import base64
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.event_log.read import read_stream
from tests.scenarios.player import NOTES, Player
from tests.scenarios.wire import streams

OURS = "urn:countersign:note"
ALWAYS = frozenset({"writes", "sendings", "notes in the chart", "the page says"})
Ending = Callable[[Player, Any], None]
ENDINGS: dict[str, Ending] = {}


def ending(words: str) -> Callable[[Ending], Ending]:
    """Give a comparison its words, as a scenario says them."""

    def named(compare: Ending) -> Ending:
        assert words not in ENDINGS, f"two endings are called {words}"
        ENDINGS[words] = compare
        return compare

    return named


@ending("writes")
def _writes(player: Player, stages: list[str]) -> None:
    """The stage of each signed write, in the order in which they were signed."""
    assert [str(state.stage) for state in player.states] == stages


@ending("sendings")
def _sendings(player: Player, times: list[int]) -> None:
    """How often each of them was sent."""
    assert [state.attempts for state in player.states] == times


@ending("stopped for")
def _stopped_for(player: Player, reasons: list[str]) -> None:
    """Why writes wait for a person."""
    assert [state.parked_for for state in player.states if state.parked_for] == reasons


@ending("differences")
def _differences(player: Player, differences: list[str]) -> None:
    """What the EHR holds in another way than it was signed."""
    assert list(player.states[-1].differences) == differences


@ending("changed there")
def _changed(player: Player, how: str) -> None:
    """What a person did to the note in the EHR."""
    assert player.states[0].change_there == how


@ending("notes in the chart")
def _count(player: Player, notes: int) -> None:
    """How many of our notes stand as current in these patients' charts."""
    assert len(current(player)) == notes


@ending("the chart says")
def _chart_says(player: Player, text: str) -> None:
    """Words of the notes that are current."""
    assert text in texts(player)


@ending("the chart does not say")
def _chart_does_not_say(player: Player, text: str) -> None:
    """Words that none of them has."""
    assert current(player)
    assert text not in texts(player)


@ending("the later note")
def _related(player: Player, relation: str) -> None:
    """Whether it `replaces` or `appends` the earlier one, as the chart has it."""
    first, later = player.of_the_chart(player.chart)
    [link] = next(one for one in stored(player) if one["id"] == later.resource_id)["relatesTo"]
    assert (link["code"], link["target"]["reference"]) == (relation, f"{NOTES}/{first.resource_id}")


@ending("the note is in the chart of")
def _moved(player: Player, patient: str) -> None:
    """Whose chart holds the note in the end."""
    [note] = [one for one in stored(player) if f"{NOTES}/{one['id']}" == player.place]
    assert note["subject"]["reference"] == f"Patient/{player.service.ehr.patient(player.ehr, patient)}"


@ending("the page says")
def _page_says(player: Player, words: list[str]) -> None:
    """Sentences that the clinician reads."""
    page = player.page
    assert [one for one in words if one not in page] == [], page


@ending("the log holds")
def _log_holds(player: Player, tags: dict[str, int]) -> None:
    """How often each of these events happened to the writes; 0 for never."""
    tenant = player.chart.launch().tenant_id
    with player.service.parts.database.read() as tx:
        found = Counter(one.event.tag for stream in streams(tx, tenant) for one in read_stream(tx, tenant, stream))
    assert {tag: found[f"writeback:{tag}"] for tag in tags} == tags


def stored(player: Player) -> list[dict[str, Any]]:
    """Our documents of this scenario in the EHR's own store, past every scope."""
    wanted = {state.order.identifier.partition("|")[2] for state in player.states if state.order}
    held = player.service.ehr.qa(player.ehr, f"resources/{NOTES}")
    return [one for one in held if wanted & identifiers(one)]


def identifiers(resource: dict[str, Any]) -> set[str]:
    return {one["value"] for one in resource.get("identifier", []) if one.get("system") == OURS}


def current(player: Player) -> list[dict[str, Any]]:
    """Notes of any Countersign that came into these charts since the scenario began, signed or not."""
    patients = {chart.launch().patient for chart in player.charts}
    held = player.service.ehr.qa(player.ehr, f"resources/{NOTES}")
    there = [one for one in held if one["subject"]["reference"] in patients and one["status"] == "current"]
    return [one for one in there if identifiers(one) and one["id"] not in player.notes_before]


def texts(player: Player) -> str:
    return "\n".join(text_of(player, one) for one in current(player))


def text_of(player: Player, document: dict[str, Any]) -> str:
    """The words, which some EHRs keep in a Binary of their own."""
    attachment = document["content"][0]["attachment"]
    if "data" not in attachment:
        binaries = player.service.ehr.qa(player.ehr, "resources/Binary")
        attachment = next(one for one in binaries if attachment["url"].endswith(one["id"]))
    return base64.b64decode(attachment["data"]).decode()
