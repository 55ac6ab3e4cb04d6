"""The running product for browser tests and pictures: the demo on ports of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.demo import running
from app.demo.running import Demo, running_demo
from tests.ehr import RunningSandbox, free_port

# One note for each chart, visit and clinician: tests that sign need more patients than the sandbox has.
VISITS = 20
VISIT = """[doctor] hi, what brings you in today?
[patient] my left knee hurts when i climb the stairs, for about three weeks now.
[doctor] any fever or swelling?
[patient] no, no fever. a little swelling at night.
[doctor] okay. on exam the left knee has mild tenderness along the joint line, no effusion.
[doctor] i think this is most likely early osteoarthritis of the knee.
[doctor] let's get an x-ray of the left knee today.
[doctor] start naproxen, five hundred milligrams twice a day with food.
[doctor] come back in four weeks.
[patient] thank you doctor."""


@contextmanager
def running_product(home: Path) -> Iterator[Demo]:
    """Start the demo on free ports: the usual ones may be taken by somebody's demo, or be about to be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "APP_PORT", free_port())
        patch.setattr(running, "SANDBOX_PORT", free_port())
        transcripts = home / "visits.json"
        transcripts.write_text(json.dumps({"data": [{"src": VISIT}] * VISITS}))
        with running_demo(home, transcripts) as demo:
            yield demo


def sandbox_of(demo: Demo) -> RunningSandbox:
    """The demo's simulated EHRs, for their QA API."""
    local = demo.sandbox.replace("ehr.localhost", "127.0.0.1")
    return RunningSandbox(demo.sandbox, local, demo.processes.running["sandbox"], demo.home)
