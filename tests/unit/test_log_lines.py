import json
from collections.abc import Iterator

import pytest
import structlog
from structlog import get_logger

from app.log_lines import configure_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_only_listed_fields_reach_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    get_logger().warning("send_failed", writeback="w1", patient_name="Rivera", token="secret", url="http://x?code=1")
    line = json.loads(capfd.readouterr().err)
    assert set(line) == {"event", "level", "timestamp", "writeback"}


def test_a_line_break_cannot_forge_a_second_line(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    get_logger().warning("launch_failed", detail='x\n{"event":"forged"}')
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
