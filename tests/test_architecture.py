"""Rules about the code that no linter knows."""

import importlib
import re
from pathlib import Path

from app.outbox.relay import DRAIN_JOB

ROOT = Path(__file__).parents[1]


def sources(*rooms: str) -> dict[str, str]:
    files = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def test_the_job_that_the_relay_names_exists() -> None:
    module, _, name = DRAIN_JOB.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_only_settings_and_the_demo_read_the_environment() -> None:
    readers = {name for name, text in sources("app", "launch", "vendors").items() if "os.environ" in text}
    # The bench makes databases of its own beside the configured one.
    assert readers <= {"app/settings.py", "app/demo/running.py", "app/bench/databases.py"}


def test_only_the_clock_knows_the_time() -> None:
    pattern = re.compile(r"datetime\.(?:now|utcnow|today)\(|date\.today\(|time\.time\(")
    texts = sources("app", "launch", "vendors")
    # The bench's peers tell the time as the programs do that they stand for.
    tellers = {name for name, text in texts.items() if pattern.search(text) and not name.startswith("app/bench/")}
    # A Retry-After that names a date is only meant against the moment in which it is read.
    assert tellers == {"app/clock.py", "vendors/outcomes.py"}


def test_no_module_is_longer_than_300_lines() -> None:
    long = {name: len(text.splitlines()) for name, text in sources("app", "launch", "vendors", "sandbox").items()}
    assert not {name: lines for name, lines in long.items() if lines > 300}


def test_no_room_is_called_by_a_word_that_says_nothing() -> None:
    words = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
    assert not [name for name in sources("app", "launch", "vendors", "sandbox") if Path(name).stem in words]


def test_written_resources_are_built_with_the_r4b_models() -> None:
    """C41."""
    default_is_r5 = re.compile(r"from fhir\.resources(?!\.R4B)[. ]")
    assert not [name for name, text in sources("app", "vendors", "sandbox").items() if default_is_r5.search(text)]


def test_no_template_holds_an_inline_script_style_or_handler() -> None:
    inline = re.compile(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=", re.IGNORECASE)
    pages = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "sandbox").rglob("*.html")]
    assert not [str(page) for page in pages if inline.search(page.read_text(encoding="utf-8"))]
