"""What the image holds is enough for every process: its folders, and the parts of requirements.lock alone."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.deployment.compose_file import ROOT, copied_folders

# The command line imports web, worker and sweeper; the sandbox is a program of its own.
STARTED = ("app.cli.__main__", "sandbox.__main__")
BLOCKED = """
import importlib, json, sys
blocked = set(json.loads(sys.argv[1]))
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not in requirements.lock")
sys.meta_path.insert(0, Block())
importlib.import_module(sys.argv[2])
"""


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def locked(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {normal(found[1]) for line in lines if (found := re.match(r"([\w.-]+)==", line))}


def modules_of_development() -> list[str]:
    """The top-level modules that only requirements-dev.lock brings."""
    only = locked("requirements-dev.lock") - locked("requirements.lock")
    installed = packages_distributions()
    return sorted(module for module, names in installed.items() if {normal(name) for name in names} <= only)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the Dockerfile copies, and nothing else."""
    home = tmp_path_factory.mktemp("image")
    for folder in copied_folders():
        shutil.copytree(ROOT / folder, home / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return home


@pytest.mark.parametrize("module", STARTED)
def test_every_process_starts_with_the_locked_parts_alone(image: Path, module: str) -> None:
    blocked = json.dumps(modules_of_development())
    assert '"playwright"' in blocked

    ran = subprocess.run(
        [sys.executable, "-c", BLOCKED, blocked, module],
        cwd=image,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr.strip().splitlines()[-1]


def test_the_code_finds_what_lies_beside_it(image: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", "tenant", "list", "--json"],
        cwd=image,
        env={"COUNTERSIGN_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert {one["id"] for one in json.loads(ran.stdout)["tenants"]} == {"harbor-epic", "lakeside-athenaone"}
