"""The charts that the browser tests open, and what a clinician does in them, as steps.

Countersign keeps one note for each chart, visit and clinician, so every test asks for a chart that nobody has used: it
is opened by a clinician who was hired for such tests, and for whom there is always another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect

from tests.e2e.product import VISITS
from tests.ehr import RunningSandbox

# Whoever has plan items to confirm in an open visit. Ana Rivera's chart also contradicts what was said.
PATIENTS = (
    "Brandt, Walter Emil",
    "Nair, Priya",
    "Rahman, Aisha",
    "Whitfield, George Alan",
    "Marchetti, Sofia Elena",
    "Ortega, María Guadalupe",
    "Cho, Raymond",
    "Lindqvist, Mateo",
)
# More visits, all alike and quickly drafted, for whatever is not about what the note says.
VISITORS = tuple(f"{number:03}, Visit" for number in range(1, VISITS + 1))
# Whose drafts have nothing to confirm: for tests that go no further than the launch.
QUIET = ("Sorensen, Helen", "Varga, Tomas")
RIVERA = "Rivera, Ana"
# Drafting reads a whole chart, filing asks the EHR three times; both on a machine that does other things too.
DRAFTED_MS = 30_000
FILED_MS = 45_000

# The app's page: framed in a chart, or in a window of its own.
App = Page | FrameLocator


@dataclass(frozen=True)
class Chart:
    """One patient's chart in one EHR, opened by one clinician."""

    sandbox: RunningSandbox = field(compare=False)
    ehr: str
    patient: str
    clinician: str
    clinician_name: str

    @property
    def url(self) -> str:
        """The chart's page in the EHR."""
        return f"{self.sandbox.origin}/{self.ehr}/charts/{self.patient}?{urlencode({'user': self.clinician})}"

    def launch_url(self) -> str:
        """A fresh launch of the app from this chart."""
        return self.sandbox.open_app(self.ehr, self.patient, user=self.clinician)["url"]

    def our_notes(self) -> list[dict]:
        """The notes that Countersign has filed in this chart for this clinician."""
        author = [{"reference": f"Practitioner/{self.clinician}"}]
        return [
            note
            for note in self.sandbox.qa(self.ehr, "resources/DocumentReference")
            if any(one.get("system") == "urn:countersign:note" for one in note.get("identifier", []))
            and note["subject"]["reference"] == f"Patient/{self.patient}"
            and [{"reference": one["reference"]} for one in note["author"]] == author
        ]


class Charts:
    """Hands out charts that have no note yet. They never run out: who has seen every patient is relieved by another."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._endless: dict[tuple[str, tuple[str, ...]], Iterator[Chart]] = {}

    def fresh(self, ehr: str = "epic", *patients: str) -> Chart:
        """A chart with plan items to confirm, a visitor's or one of these patients', that nobody else is given.

        Of several patients, two calls give two.
        """
        wish = (ehr, patients or VISITORS)
        return next(self._endless.setdefault(wish, self._by_locums(*wish)))

    def shared(self) -> Chart:
        """The chart of the tests that look at launches only: its note may exist already, and is never signed."""
        doctor = self._sandbox.qa("athenaone", "resources/Practitioner")[0]
        return self._chart("athenaone", QUIET[0], doctor)

    def _by_locums(self, ehr: str, patients: tuple[str, ...]) -> Iterator[Chart]:
        while True:
            locum = self._sandbox.hire(ehr, "Dr. Lou Locum")
            for patient in patients:
                yield self._chart(ehr, patient, locum)

    def _chart(self, ehr: str, patient: str, doctor: dict) -> Chart:
        patient_id = self._sandbox.patient(ehr, patient)
        return Chart(self._sandbox, ehr, patient_id, doctor["id"], doctor["name"][0]["text"])


def open_in_chart(page: Page, chart: Chart) -> FrameLocator:
    """Open the chart and start Countersign in its frame; returns the frame when a page stands in it."""
    page.goto(chart.url)
    page.locator("#open-countersign").click()
    frame = page.frame_locator("#app-frame")
    expect(frame.locator("main#main")).to_be_visible(timeout=DRAFTED_MS)
    return frame


def draft_in_chart(page: Page, chart: Chart) -> FrameLocator:
    """The same, up to the draft."""
    frame = open_in_chart(page, chart)
    expect(frame.locator("#next-step")).to_be_visible(timeout=DRAFTED_MS)
    # Until its scripts have run, a page answers clicks as it does without scripts.
    document_of(page).wait_for_load_state()
    return frame


def draft_in_window(page: Page, chart: Chart) -> Page:
    """Start Countersign in a window of its own, as some EHRs do, up to the draft."""
    page.goto(chart.launch_url())
    expect(page.locator("#next-step")).to_be_visible(timeout=DRAFTED_MS)
    page.wait_for_load_state()
    return page


def document_of(page: Page) -> Frame:
    """The document that the app shows, to look into with scripts: the chart's frame, else the page's own."""
    return page.frame("app-frame") or page.main_frame


def last_plan_line(app: App) -> Locator:
    """The last line of the plan."""
    return app.locator("#claims-plan [data-claim]").last


def write(line: Locator, text: str) -> None:
    """Open a line's editor and type over what it says; saving is the page's business."""
    line.locator("[data-edit]").click()
    line.locator("textarea").fill(text)


def edit(line: Locator, text: str) -> None:
    """Change a line and wait until it is saved."""
    write(line, text)
    line.get_by_role("button", name="Save and close").click()
    expect(line.locator("[data-claim-text]")).to_have_text(text)
    expect(line.locator("[data-save-state]")).to_contain_text("Saved")


def to_sign_step(app: App) -> None:
    """From the draft to the sign page."""
    app.locator("#next-step [data-to-sign]", has_text="Review and sign").click()
    expect(app.locator(".sign-card")).to_be_visible()


def confirm_all(app: App) -> None:
    """Confirm whatever is open, one by one, on a page that has come in whole."""
    expect(app.locator("#next-step")).to_be_visible()
    open_items = app.locator("[data-claim][data-open]")
    while (left := open_items.count()) > 0:
        open_items.first.locator("[data-confirm]").click()
        expect(open_items).to_have_count(left - 1)
        expect(app.locator("#next-step")).to_be_visible()


def ready_to_sign(app: App) -> None:
    """Confirm what is open, and on to the sign page."""
    confirm_all(app)
    to_sign_step(app)
    expect(app.locator("#sign button")).to_be_visible()


def sign(app: App) -> None:
    """Confirm what is open and sign."""
    ready_to_sign(app)
    app.locator("#sign button").click()
    expect(app.locator("#status")).to_be_visible()


def confirm_patient(app: App) -> None:
    """Tick the patient's name on the sign page, where it asks for that."""
    app.get_by_role("checkbox", name="This note is for").check()


def reach(app: App, step: str) -> None:
    """Wait until a step of the status line is done."""
    expect(app.locator(".step-done", has_text=step)).to_be_visible(timeout=FILED_MS)
