"""What every launcher can do for a test: open its page, choose a chart, launch, and answer what it asks.

A launcher is whatever a QA team starts apps from: our sandbox, the public SMART App Launcher, an EHR's own sandbox. Its
pages are in one file of its own; the tests in `tests/e2e/test_launcher.py` know nothing but this.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from playwright.sync_api import Locator, Page, expect

from app.demo.running import Demo
from tests.e2e.charts import DRAFTED_MS, App

MOST_QUESTIONS = 6
Answer = Callable[[Locator], object]


@dataclass(frozen=True)
class Chart:
    """A patient and a user, as this launcher names them; `shown` is how Countersign's banner names the patient."""

    patient: str
    user: str = ""
    shown: str = ""


@dataclass(frozen=True)
class Wish:
    """One launch that a test wants. `asks`: the sign-in page and the approval are to be shown, not skipped."""

    chart: Chart
    in_frame: bool = True
    asks: bool = False


class Launcher(Protocol):
    """The steps of one launch, in this order: `open`, `choose`, `launch`, `sign_in`."""

    def charts(self) -> Sequence[Chart]:
        """Two charts that can be opened, the first by default. Raises `pytest.UsageError` when QA has to name them."""

    def prepare(self, start_demo: Callable[[], Demo]) -> None:
        """Introduce app and EHR to each other, with a Countersign that `start_demo` starts; nothing where QA did it."""

    def open(self, page: Page) -> None:
        """Open the launch page."""

    def choose(self, page: Page, wish: Wish) -> None:
        """Choose patient, user and manner."""

    def launch(self, page: Page, wish: Wish) -> App:
        """Press the button; return the place where the app is going to show: a frame, or a window."""

    def sign_in(self, app: App, wish: Wish) -> None:
        """Sign in, choose and approve, as far as the EHR asks, until the app's own page stands there."""


def answer_until_the_app_shows(app: App, answers: Sequence[tuple[Locator, Answer]]) -> None:
    """Answer whatever the EHR asks, in the order in which it asks: a question is on the page when its locator is.

    Ends when our own page is there, and fails when it does not come.
    """
    ours = app.locator("main#main")
    seen = ours
    for question, _ in answers:
        seen = seen.or_(question)
    for _ in range(MOST_QUESTIONS):
        expect(seen.first).to_be_visible(timeout=DRAFTED_MS)
        asked = next(((question, answer) for question, answer in answers if question.count()), None)
        if asked is None:
            break
        question, answer = asked
        answer(question)
        expect(question).to_have_count(0)
    expect(ours).to_be_visible(timeout=DRAFTED_MS)
