"""The documents say what the code does: tables are compared, names are looked up, links are followed."""

import re
from pathlib import Path

import click
import pytest

from app.cli.__main__ import countersign
from app.db import metadata
from app.drafting.template import SECTIONS
from app.event_log.event import CATALOGUE
from app.notes.state import TRANSITIONS as NOTE_TRANSITIONS
from app.policy.rulesets import RULESETS
from app.settings import Settings
from app.tenants.registrations import BackendReading, Callbacks, ClientAuthentication, NotePolicy, Tenant, Workflow
from app.wiring import create_app
from app.writebacks.state import TRANSITIONS as WRITE_TRANSITIONS
from tests.docs.tables import ROOT, between, settings_table, transitions_table

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "smart-config/*.md", "smart-config/*/*.md") for path in ROOT.glob(pattern)
)
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")
COUNTERSIGN = re.compile(r"(?:^|[\s/])countersign ((?:[a-z]+ ?)+)")
MAKE = re.compile(r"(?:^|\s)make ([a-z]+)")
# Paths of somebody's machine, and addresses of registries: neither helps a reader elsewhere.
FOREIGN = re.compile(
    r"/(?:home|root|Users|work|opt/[a-z]+|private)/|[A-Z]:\\|\bpypi\.org|pythonhosted|npmjs\.|"
    r"registry\.[a-z]+\.|proxy\.golang|(?:index|extra-index)-url",
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_of(document: Path) -> list[str]:
    return [block or inline for block, inline in CODE.findall(document.read_text(encoding="utf-8"))]


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


def rooms(folder: str) -> set[str]:
    return {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}


def modules(folder: str) -> set[str]:
    return {path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"}


def test_the_readme_has_the_settings_that_the_code_has() -> None:
    assert between("README.md", "settings") == settings_table()


@pytest.mark.parametrize(("name", "transitions"), [("note", NOTE_TRANSITIONS), ("write-back", WRITE_TRANSITIONS)])
def test_the_states_are_drawn_as_the_code_has_them(name: str, transitions: dict) -> None:
    assert between("docs/architecture.md", f"{name} states") == transitions_table(transitions)


def test_every_event_is_in_the_architecture() -> None:
    text = text_of("docs/architecture.md")
    assert [tag for tag in CATALOGUE if f"`{tag}`" not in text] == []


def test_every_room_has_its_line_in_the_architecture() -> None:
    described = set(re.findall(r"^\| `app/(\w+)/` \|", text_of("docs/architecture.md"), re.MULTILINE))
    assert described == rooms("app")


def test_every_room_of_the_top_level_is_in_the_readme() -> None:
    text = text_of("README.md")
    folders = ("app", "launch", "vendors", "templates", "static", "smart-config", "sandbox", "migrations", "tests")
    assert [name for name in folders if f"`{name}/`" not in text] == []


def test_every_single_module_of_the_app_is_in_the_architecture() -> None:
    text = text_of("docs/architecture.md")
    assert [name for name in sorted(modules("app")) if f"`{name}`" not in text] == []


def test_every_step_of_the_launch_is_in_the_architecture() -> None:
    text = text_of("docs/architecture.md")
    assert [name for name in sorted(modules("launch")) if f"`{name.removesuffix('.py')}`" not in text] == []


def test_every_table_is_in_the_architecture() -> None:
    create_app(Settings())
    described = re.findall(
        r"^\| `(\w+)` \|", text_of("docs/architecture.md").partition("## The database")[2], re.MULTILINE
    )
    assert sorted(described) == sorted(metadata.tables)


def test_every_page_is_in_the_architecture(tmp_path: Path) -> None:
    rules = {
        str(rule) for rule in create_app(Settings(home=tmp_path)).url_map.iter_rules() if rule.endpoint != "static"
    }
    text = text_of("docs/architecture.md")
    assert [rule for rule in sorted(rules) if f"`{rule}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    assert {target for code in code_of(document) for target in MAKE.findall(code)} <= targets


def test_every_make_target_is_explained() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", text_of("Makefile"), re.MULTILINE))
    explained = {target for code in code_of(ROOT / "README.md") for target in MAKE.findall(code)}
    explained |= {target for code in code_of(ROOT / "CONTRIBUTING.md") for target in MAKE.findall(code)}
    assert targets - {"help"} <= explained


def test_ci_runs_what_the_readme_calls_the_check() -> None:
    assert "exec make check" in text_of(".ci/run")
    assert "`make check`" in text_of("README.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_exists(document: Path) -> None:
    for code in code_of(document):
        for line in COUNTERSIGN.findall(code):
            assert resolves(countersign, line.split()), f"countersign {line} in {named(document)}"


def resolves(command: click.Command, words: list[str]) -> bool:
    """Whether the words lead to a command; what follows a command are its arguments."""
    if not isinstance(command, click.Group):
        return True
    if command.invoke_without_command and not (words and words[0] in command.commands):
        return True
    return bool(words) and words[0] in command.commands and resolves(command.commands[words[0]], words[1:])


def test_every_command_is_in_the_readme() -> None:
    text = text_of("README.md")
    assert [path for path in paths(countersign, ()) if f"`countersign {' '.join(path)}" not in text] == []


def paths(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    own = [path] if command.invoke_without_command else []
    return own + [found for name, child in command.commands.items() for found in paths(child, (*path, name))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_file_that_is_named_exists(document: Path) -> None:
    path = re.compile(r"(app|launch|vendors|sandbox|tests|\.ci)/[\w/.]*")
    named_files = [code for code in code_of(document) if path.fullmatch(code)]
    assert [name for name in named_files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_no_link_leads_nowhere(document: Path) -> None:
    for link in LINK.finditer(document.read_text(encoding="utf-8")):
        target = link["target"]
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        found = (document.parent / target).resolve() if target else document
        assert found.exists(), f"{named(document)} links to {target}, which is not there"
        if link["anchor"]:
            assert link["anchor"][1:] in anchors(found), f"{named(document)} links to {target}{link['anchor']}"


def anchors(document: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_picture_says_what_it_shows() -> None:
    pictures = [link for link in LINK.finditer(text_of("README.md")) if link[0].startswith("!")]
    assert len(pictures) == 5
    assert all(len(link["text"].split()) >= 5 for link in pictures)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_no_document_names_somebodys_machine(document: Path) -> None:
    assert FOREIGN.findall(document.read_text(encoding="utf-8")) == []


def test_every_field_of_a_tenants_file_is_explained() -> None:
    text = text_of("smart-config/README.md")
    fields = [
        *Tenant.model_fields,
        *(f"authentication.{name}" for name in ClientAuthentication.model_fields),
        *(f"note.{name}" for name in NotePolicy.model_fields),
        *(f"reading.{name}" for name in BackendReading.model_fields),
        *(f"callbacks.{name}" for name in Callbacks.model_fields),
        *(f"workflows.{name}" for name in Workflow.model_fields),
    ]
    whole = {"authentication", "note", "reading", "callbacks", "workflows"}
    assert [name for name in fields if name not in whole and f"| `{name}` |" not in text] == []


def test_every_folder_of_tests_is_explained() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    text = text_of("CONTRIBUTING.md")
    assert [name for name in sorted(folders) if f"`tests/{name}/`" not in text] == []


def test_every_rule_is_explained() -> None:
    text = text_of("docs/architecture.md")
    assert [rule.__name__ for rules in RULESETS.values() for rule in rules if f"`{rule.__name__}`" not in text] == []


def test_every_section_of_the_note_is_named() -> None:
    text = text_of("docs/architecture.md").lower()
    assert [section.title for section in SECTIONS if section.title.lower() not in text] == []


def test_the_changelog_begins_with_what_is_not_released() -> None:
    heads = re.findall(r"^## \[?([^\]\n]+)\]?", text_of("CHANGELOG.md"), re.MULTILINE)
    assert heads[0].lower().startswith(("unreleased", "0.1.0"))
