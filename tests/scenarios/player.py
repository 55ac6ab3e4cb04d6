"""Plays a scenario: the clinician, the people at the EHR, the EHR itself, and time.

`STEPS` is the whole language of the steps: words, and what they do. The README shows the same table.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from app.tenants.registrations import Callbacks
from app.writebacks.state import WritebackState
from tests.flows.test_changing import add, correct, retract, rewrite_first_line, writes
from tests.flows.test_following import look
from tests.flows.test_reconciling import pass_time
from tests.scenarios.wire import watched
from tests.service import TENANTS, OpenChart, Service

SHARED_SECRET = "shared-with-the-ehr"
A_SHORT_WHILE = 0.3
NOTES = "DocumentReference"


@dataclass
class Player:
    """One scenario under way, with every chart that was opened in it; the steps are about the last one."""

    service: Service
    ehr: str
    patient: str
    charts: list[OpenChart] = field(default_factory=list)
    refusal: str = ""

    def __post_init__(self) -> None:
        self.sent = watched(self.service, TENANTS[self.ehr])
        self.writes_before = len(self.service.ehr.qa(self.ehr, "writes"))
        self.notes_before = {one["id"] for one in self.service.ehr.qa(self.ehr, f"resources/{NOTES}")}

    @property
    def chart(self) -> OpenChart:
        assert self.charts, "nobody has opened a chart yet"
        return self.charts[-1]

    @property
    def tenant_id(self) -> str:
        return TENANTS[self.ehr]

    def play(self, step: str | dict[str, Any]) -> None:
        words, value = split(step)
        STEPS[words](self, *value)

    def open(self, patient: str) -> None:
        self.charts.append(self.service.drafted(ehr=self.ehr, patient=patient))

    def of_the_chart(self, chart: OpenChart) -> list[WritebackState]:
        """The writes of one chart, in the order in which they were signed."""
        return writes(chart) if chart.note().state.signed else []

    @property
    def states(self) -> list[WritebackState]:
        """Every write of the scenario, chart by chart."""
        return [state for chart in self.charts for state in self.of_the_chart(chart)]

    @property
    def place(self) -> str:
        """Where the last note came to stand when it was filed."""
        return f"{NOTES}/{self.of_the_chart(self.chart)[0].resource_id}"

    @property
    def page(self) -> str:
        """What the clinician reads now, without the markup."""
        note = self.chart.get("/note", follow_redirects=True).text
        stopped = self.chart.get("/note/stopped").text if 'href="note/stopped"' in note else ""
        return plain(note + self.refusal + stopped)

    def agree_on_notices(self) -> None:
        """The EHR and Countersign agree on a secret, once."""
        tenant = self.service.parts.tenants.require(self.tenant_id)
        if tenant.callbacks is None:
            self.service.parts.secrets.keep(tenant, "notices", SHARED_SECRET, "cli:qa")
            self.service.change_tenant(self.tenant_id, callbacks=Callbacks(secret="sealed:notices"))
            url = f"{self.service.origin}/api/v1/callbacks/{self.tenant_id}"
            self.service.ehr.tell(self.ehr, url, SHARED_SECRET, types=[NOTES], automatic=False)


Step = Callable[..., None]
STEPS: dict[str, Step] = {}


def step(words: str) -> Callable[[Step], Step]:
    """Give a step its words, as a scenario says them."""

    def named(do: Step) -> Step:
        assert words not in STEPS, f"two steps are called {words}"
        STEPS[words] = do
        return do

    return named


def split(step: str | dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The words of a step, and the one value that some have."""
    if isinstance(step, str):
        return step, ()
    [(words, value)] = step.items()
    return words, (value,)


def plain(page: str) -> str:
    """The words of a page as they are read."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


# --- the clinician


@step("the clinician drafts a note")
def _draft(player: Player) -> None:
    """Starts Countersign from the chart of the scenario's patient; a draft is made."""
    player.open(player.patient)


@step("the clinician drafts a note for")
def _draft_for(player: Player, patient: str) -> None:
    """The same for another patient; the steps that follow are about this one."""
    player.open(patient)


@step("the clinician writes")
def _write(player: Player, text: str) -> None:
    """Puts these words in place of the first line."""
    rewrite_first_line(player.chart, text)


@step("an older window writes")
def _write_late(player: Player, text: str) -> None:
    """The same from a window that still shows the line as it was drafted; it is told so, and nothing is saved."""
    claim = player.chart.note().review.claims[0].claim.id
    answer = player.chart.post(f"/claims/{claim}/text", revision="0", text=text)
    assert answer.status_code == 409, answer.status_code
    player.refusal = answer.text


@step("the clinician signs")
def _sign(player: Player) -> None:
    """Confirms what is open, and signs what the page shows."""
    player.chart.settle()
    answer = player.chart.sign()
    assert answer.status_code == 303, answer.text


@step("the clinician signs twice")
def _sign_twice(player: Player) -> None:
    """Sends the same form two times, as a double click does; both get the same answer."""
    player.chart.settle()
    form = player.chart.sign_form()
    answers = [player.chart.post("/sign", **form) for _ in range(2)]
    assert {answer.headers["Location"] for answer in answers} == {f"{player.chart.path}/note"}


@step("the clinician tries to sign")
def _try_to_sign(player: Player) -> None:
    """Is refused; the reason is what the page says."""
    player.chart.settle()
    answer = player.chart.sign()
    assert answer.status_code == 409, answer.status_code
    player.refusal = answer.text


@step("the clinician adds")
def _add(player: Player, text: str) -> None:
    """Writes and signs an addendum to a signed note."""
    add(player.chart, text)


@step("the clinician corrects the first line")
def _correct(player: Player, text: str) -> None:
    """Opens the signed note for correction, changes this line, and signs anew."""
    correct(player.chart, text)


@step("the clinician retracts the note")
def _retract(player: Player) -> None:
    """Says that the filed note was a mistake; it is to be marked so in the chart."""
    assert retract(player.chart).status_code == 303


# --- Countersign, and time


@step("Countersign files what waits")
def _work(player: Player) -> None:
    """What a worker does at this moment, for everything that is due."""
    player.service.work()


@step("Countersign files what waits, and gives up listening")
def _work_impatiently(player: Player) -> None:
    """The same, and an answer that does not come within a moment is not waited for."""
    tenant = player.service.parts.tenants.require(player.tenant_id)
    guarded = player.service.parts.ehrs.session(tenant).get_adapter(tenant.fhir_base).inner
    patient = guarded._policy
    guarded._policy = replace(patient, read_timeout_seconds=A_SHORT_WHILE)
    player.service.work()
    guarded._policy = patient


@step("Countersign looks at what was filed")
def _look(player: Player) -> None:
    """The next look at every filed note, as if its time had come."""
    look(player.service)


@step("Countersign looks at what it was told of")
def _look_at_told(player: Player) -> None:
    """Looks only at what is due by now: what the EHR sent a notice about."""
    assert player.service.parts.following.sweep() == 1


@step("minutes pass")
def _pass(player: Player, minutes: int) -> None:
    """A worker looks once a minute; the clinician's access is renewed in time."""
    pass_time(player.service, minutes, minutes=1)


@step("our clock is set back by minutes")
def _set_back(player: Player, minutes: int) -> None:
    """Somebody puts Countersign's own clock right, or wrong."""
    player.service.clock.advance(minutes=-minutes)


# --- the EHR, and the people there


@step("the EHR misbehaves")
def _misbehave(player: Player, fault: dict[str, Any]) -> None:
    """One of the sandbox's faults, by its name; when the note is created, and once, unless said otherwise."""
    note = {"interaction": "create", "resource_type": NOTES} if "interaction" not in fault else {}
    player.service.ehr.arm(player.ehr, **({"times": 1} | note | fault))


@step("somebody in the EHR")
def _act(player: Player, edit: dict[str, Any]) -> None:
    """A person at the EHR does something to the filed note."""
    player.service.ehr.act(player.ehr, resource=player.place, **edit)


@step("the EHR merges this chart into that of")
def _merge(player: Player, patient: str) -> None:
    """The two were one person; everything moves to the other chart."""
    into = player.service.ehr.patient(player.ehr, patient)
    player.service.ehr.act(player.ehr, "merge_patient", player.chart.launch().patient, into=into)


@step("the visit is cancelled in the EHR")
def _cancel(player: Player) -> None:
    """It did not take place after all."""
    player.service.ehr.act(player.ehr, "cancel_encounter", player.chart.launch().encounter)


@step("the visit is closed in the EHR")
def _close(player: Player) -> None:
    """It is over."""
    player.service.ehr.act(player.ehr, "close_encounter", player.chart.launch().encounter)


@step("the EHR will tell of changes")
def _subscribe(player: Player) -> None:
    """From now on it keeps signed notices of what changes."""
    player.agree_on_notices()


@step("the EHR sends its notices")
def _deliver(player: Player, count: int) -> None:
    """So many of them; Countersign takes every one."""
    told = [one["status"] for one in player.service.ehr.deliver(player.ehr)]
    assert told == [202] * count, told
