"""Where tests can launch from: one file for each launcher, found by its name."""

import re
from importlib import import_module, util

import pytest

from tests.e2e.launchers.port import Chart, Launcher

# What an address alone means: most launchers that are not ours are copies of the public one.
USUAL = "smart_launcher"


def chosen(said: str, charts: list[str]) -> Launcher:
    """The launcher that `--launcher` names: NAME=URL, or a URL. Raises `pytest.UsageError` in words."""
    named = re.fullmatch(r"(?:([a-z_]+)=)?(https?://.+?)/?", said)
    if named is None:
        raise pytest.UsageError("--launcher is an address, or NAME=ADDRESS, such as smart_launcher=https://host")
    module = f"{__name__}.{named[1] or USUAL}"
    if util.find_spec(module) is None:
        raise pytest.UsageError(f"There is no tests/e2e/launchers/{named[1]}.py; docs/qa.md says how to write it")
    launcher: Launcher = import_module(module).LAUNCHER(named[2], tuple(map(_chart, charts)))
    return launcher


def _chart(said: str) -> Chart:
    patient, _, user = said.partition("/")
    return Chart(patient, user)
