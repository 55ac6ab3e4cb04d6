import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from app.tenants.registrations import ClientAuthentication, NotePolicy, Tenant
from vendors.contract import INTERACTIONS, RESOURCE_TYPES, FileAs, VendorAdapter
from vendors.egress import EgressPolicy
from vendors.profile import ProfileRefused, load_profile
from vendors.registry import ADAPTERS, load_adapters
from vendors.strict_yaml import read_yaml

PROFILES = Path(__file__).parents[2] / "smart-config" / "vendors"
FILE_AS: tuple[FileAs, ...] = get_args(FileAs)
Adapters = dict[str, VendorAdapter]
Edit = Callable[[Callable[[dict[str, Any]], None]], Path]


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """Epic's profile with one change, as a file of its own."""

    def write(change: Callable[[dict[str, Any]], None]) -> Path:
        profile = read_yaml((PROFILES / "epic.yaml").read_text(encoding="utf-8"))
        assert isinstance(profile, dict)
        change(profile)
        path = tmp_path / "epic.yaml"
        path.write_text(yaml.safe_dump(profile), encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(ProfileRefused) as caught:
        load_profile(path)
    return str(caught.value)


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_every_vendor_answers_for_every_resource_type_and_interaction(adapters: Adapters, vendor: str) -> None:
    profile = adapters[vendor].profile
    for resource_type in RESOURCE_TYPES:
        for interaction in INTERACTIONS:
            cell = profile.capability(resource_type, interaction)
            assert cell.support != "yes" or cell.source in profile.sources


def test_no_vendor_is_documented_to_patch_or_delete_a_note_except_the_reference(adapters: Adapters) -> None:
    for interaction in ("update", "patch", "delete"):
        assert not adapters["epic"].profile.supports("DocumentReference", interaction)
        assert not adapters["athenaone"].profile.supports("DocumentReference", interaction)


@pytest.mark.parametrize(
    ("vendor", "takes"),
    [
        ("epic", [True, False]),
        ("athenaone", [False, False]),
        ("reference", [True, True]),
        ("ecw", [False, False]),
        ("veradigm", [False, False]),
    ],
)
def test_only_epic_and_the_reference_take_notes_and_only_the_reference_takes_provenance(
    adapters: Adapters, vendor: str, takes: list[bool]
) -> None:
    profile = adapters[vendor].profile
    assert [profile.supports(kind, "create") for kind in ("DocumentReference", "Provenance")] == takes


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_where_no_note_is_taken_the_words_say_that_it_is_copied_and_no_write_is_asked_for(
    adapters: Adapters, vendor: str
) -> None:
    profile = adapters[vendor].profile
    if profile.supports("DocumentReference", "create"):
        return
    for file_as in FILE_AS:
        assert "you will copy the signed note" in profile.landing_for(file_as).headline
    writes = (".write", ".c", ".u", ".d", ".cruds", ".*")
    scopes = (*profile.scope_strings(v2=True), *profile.scope_strings(v2=False))
    assert not [scope for scope in scopes if scope.endswith(writes)]


def test_a_create_that_is_only_said_to_exist_under_a_contract_is_not_claimed(adapters: Adapters) -> None:
    cell = adapters["ecw"].profile.capability("DocumentReference", "create")
    assert (cell.support, cell.confidence) == ("unknown", "reported")
    assert "Under a contract" in cell.note


def test_what_metadata_declares_and_the_vendor_denies_is_a_no(adapters: Adapters) -> None:
    profile = adapters["veradigm"].profile
    for kind in ("DocumentReference", "Condition", "AllergyIntolerance", "MedicationRequest", "Observation"):
        for interaction in ("create", "update"):
            cell = profile.capability(kind, interaction)
            assert (cell.support, cell.source) == ("no", "V-PRO")
            assert "/metadata declares it" in cell.note


def test_where_the_sign_in_refuses_frames_and_by_which_signature_is_data(adapters: Adapters) -> None:
    """A56, E03."""
    ecw, epic = adapters["ecw"].profile, adapters["epic"].profile
    assert (ecw.sign_in.value, ecw.assertion_algorithms.value) == ("top_window", ("RS384",))
    assert (epic.sign_in.value, epic.assertion_algorithms.value) == ("in_frame", ("RS384", "ES384"))


def test_every_adapter_of_its_own_is_behind_both_import_contracts() -> None:
    contracts = tomllib.loads((PROFILES.parents[1] / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    own = {adapter.__module__ for adapter in ADAPTERS.values()} - {"vendors.fhir_r4"}
    independent = next(one for one in contracts if one["name"] == "vendor modules do not know each other")
    protected = next(one for one in contracts if one["name"] == "only the registry knows concrete vendors")
    assert set(independent["modules"]) == set(protected["protected_modules"]) == own


def test_the_landing_words_say_what_will_happen(adapters: Adapters) -> None:
    said = {name: adapter.profile.landing_for("final").headline for name, adapter in adapters.items()}
    assert said["epic"] == "Epic: files as a signed progress note in this visit"
    assert said["athenaone"] == "athenaOne takes no notes through its FHIR API; you will copy the signed note"
    assert "sign it in Epic" in adapters["epic"].profile.landing_for("preliminary").headline


def test_epic_wants_its_client_id_on_discovery(adapters: Adapters) -> None:
    assert adapters["epic"].profile.discovery_headers_for("abc") == {"Epic-Client-ID": "abc"}
    assert adapters["reference"].profile.discovery_headers_for("abc") == {}


def test_scopes_come_in_both_spellings_without_wildcards(adapters: Adapters) -> None:
    for adapter in adapters.values():
        v1, v2 = (adapter.profile.scope_strings(v2=flag) for flag in (False, True))
        assert len(v2) == len(set(v2)) >= len(v1) == len(set(v1))  # one .write is both .c and .u
        assert not [scope for scope in (*v1, *v2) if "*" in scope]
    assert "user/DocumentReference.c" in adapters["epic"].profile.scope_strings(v2=True)
    assert "user/DocumentReference.write" in adapters["epic"].profile.scope_strings(v2=False)
    assert not [s for s in adapters["athenaone"].profile.scope_strings(v2=True) if s.endswith(".c")]


def test_required_scopes_are_a_part_of_all_scopes(adapters: Adapters) -> None:
    profile = adapters["epic"].profile
    required = profile.scope_strings(v2=True, required_only=True)
    assert set(required) < set(profile.scope_strings(v2=True))
    assert "user/DocumentReference.c" not in required


def test_a_missing_cell_is_named_with_what_to_write(edited: Edit) -> None:
    path = edited(lambda profile: profile["capabilities"]["Condition"].pop("patch"))
    assert refusal(path) == (
        f"{path}: capabilities.Condition.patch is missing; write {{support: yes|no|unknown, "
        "source: <a key of sources>, confidence: documented|reported|uncertain}"
    )


def test_a_missing_resource_type_lists_all_its_cells(edited: Edit) -> None:
    said = refusal(edited(lambda profile: profile["capabilities"].pop("Task")))
    assert said.count("capabilities.Task.") == len(INTERACTIONS)


def test_a_yes_without_a_source_is_refused(edited: Edit) -> None:
    path = edited(lambda profile: profile["capabilities"]["DocumentReference"]["create"].pop("source"))
    assert "capabilities.DocumentReference.create: says yes without a source" in refusal(path)


def test_a_source_that_is_not_listed_is_refused(edited: Edit) -> None:
    path = edited(lambda profile: profile["note"]["content_type"].update(source="E-NONE"))
    assert "note.content_type: source 'E-NONE' is not a key of sources" in refusal(path)


def test_an_uncertain_statement_must_say_what_is_not_known(edited: Edit) -> None:
    path = edited(lambda profile: profile["note"]["max_bytes"].update(note=""))
    assert "note.max_bytes: is not certain; write a note" in refusal(path)


def test_a_documented_statement_needs_its_document(edited: Edit) -> None:
    path = edited(lambda profile: profile["client_authentication"].pop("source"))
    assert "client_authentication: is documented without a source" in refusal(path)


def test_a_word_outside_the_vocabulary_is_refused_by_place(edited: Edit) -> None:
    path = edited(lambda profile: profile["capabilities"]["Patient"]["read"].update(support="maybe"))
    assert f"{path}: capabilities.Patient.read.support: Input should be 'yes', 'no' or 'unknown'" in refusal(path)


def test_an_unknown_key_and_an_unknown_resource_type_are_refused(edited: Edit) -> None:
    assert "colour: Extra inputs are not permitted" in refusal(edited(lambda profile: profile.update(colour=1)))

    def rename(profile: dict[str, Any]) -> None:
        profile["capabilities"]["Conditoin"] = profile["capabilities"].pop("Condition")

    said = refusal(edited(rename))
    assert "capabilities.Condition.read is missing" in said
    assert "capabilities.Conditoin is not one of the resource types" in said


def test_a_way_of_filing_needs_its_words(edited: Edit) -> None:
    path = edited(lambda profile: profile["landing"].update(preliminary=None))
    assert "landing.preliminary is empty" in refusal(path)


def test_the_name_must_be_the_files(edited: Edit) -> None:
    assert "write 'epic', the file's own name" in refusal(edited(lambda profile: profile.update(name="Epic")))


def test_a_file_that_is_missing_or_no_yaml_is_refused_by_name(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "epic.yaml")
    for text in ("name: [", "name: a\nname: b", "? [a]\n: b", "just words", ""):
        (tmp_path / "epic.yaml").write_text(text, encoding="utf-8")
        assert str(tmp_path / "epic.yaml") in refusal(tmp_path / "epic.yaml")
    (tmp_path / "epic.yaml").write_bytes(b"\xff\xfe\xff")
    assert "not readable YAML" in refusal(tmp_path / "epic.yaml")


def test_yes_and_no_stay_words_and_true_and_false_stay_booleans() -> None:
    assert read_yaml("{a: yes, b: no, c: on, d: true, e: false, f: unknown}") == {
        "a": "yes",
        "b": "no",
        "c": "on",
        "d": True,
        "e": False,
        "f": "unknown",
    }


def test_a_key_that_stands_twice_is_refused_with_its_line() -> None:
    with pytest.raises(yaml.YAMLError, match=r"'read' stands twice.*\n.*line 2"):
        read_yaml("read: yes\nread: no")


def test_the_registry_refuses_a_vendor_without_a_profile(tmp_path: Path) -> None:
    for name in ADAPTERS.keys() - {"reference"}:
        (tmp_path / f"{name}.yaml").write_bytes((PROFILES / f"{name}.yaml").read_bytes())
    with pytest.raises(ProfileRefused, match=r"reference\.yaml: cannot be read"):
        load_adapters(tmp_path)


def test_the_registry_refuses_a_profile_without_a_vendor(tmp_path: Path) -> None:
    for path in PROFILES.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "cerner.yaml").write_text("name: cerner", encoding="utf-8")
    with pytest.raises(ProfileRefused, match="no adapter is registered for cerner"):
        load_adapters(tmp_path)


def test_the_matrix_in_the_readme_is_what_the_profiles_say(adapters: Adapters) -> None:
    readme = (PROFILES / "README.md").read_text(encoding="utf-8")
    written = readme.partition("<!-- matrix -->\n")[2].partition("<!-- /matrix -->")[0]
    assert written == _matrix(adapters)


def _matrix(adapters: Adapters) -> str:
    head = f"| {' | '.join(['Resource', *(adapter.profile.title for adapter in adapters.values())])} |\n"
    rule = "|---" * (len(adapters) + 1) + "|\n"
    rows = [[kind, *(_answers(adapter, kind) for adapter in adapters.values())] for kind in RESOURCE_TYPES]
    rows.append(["A filed note is changed by", *(_ways(adapter) for adapter in adapters.values())])
    rows.append(["and retracted by", *(adapter.profile.note.retraction.value for adapter in adapters.values())])
    return head + rule + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _ways(adapter: VendorAdapter) -> str:
    return ", ".join(adapter.profile.note.amendment.value) or "none"


def _answers(adapter: VendorAdapter, resource_type: str) -> str:
    marks = {"documented": "", "reported": "~", "uncertain": "≈"}
    cells = {name: adapter.profile.capability(resource_type, name) for name in INTERACTIONS}
    said = [
        f"{name}{'?' if cell.support == 'unknown' else ''}{marks[cell.confidence]}"
        for name, cell in cells.items()
        if cell.support != "no"
    ]
    return ", ".join(said) or "nothing"


def test_only_where_an_identifier_can_be_asked_for_can_the_absence_of_a_note_be_proven(adapters: Adapters) -> None:
    proven = [name for name, adapter in adapters.items() if adapter.profile.note.absence_can_be_proven]
    assert proven == ["reference"]


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_waiting_times_that_no_source_gives_are_marked_uncertain(adapters: Adapters, vendor: str) -> None:
    rules = adapters[vendor].profile.note
    for rule in (rules.longest_execution_seconds, rules.search_lag_seconds):
        assert (rule.source, rule.confidence) == (None, "uncertain")
    limits = EgressPolicy(frozenset())
    waited = limits.connect_timeout_seconds + limits.read_timeout_seconds + limits.body_timeout_seconds
    assert rules.longest_execution_seconds.value > waited


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ("amendment", ["in_place"], "note.amendment names in_place, but DocumentReference.update is not yes"),
        ("retraction", "patch", "note.retraction is patch, but DocumentReference.patch is not yes"),
    ],
)
def test_a_way_of_changing_a_note_that_nothing_can_carry_is_refused(
    edited: Edit, rule: str, value: object, said: str
) -> None:
    """C13."""
    path = edited(lambda profile: profile["note"][rule].update(value=value))
    assert said in refusal(path)


def test_an_entry_is_retracted_by_what_the_ehr_takes(adapters: Adapters) -> None:
    profiles = {name: adapter.profile for name, adapter in adapters.items()}
    assert profiles["reference"].retraction_of("Observation") == "update"
    assert profiles["epic"].retraction_of("Observation") == "none"
    proven = [name for name, profile in profiles.items() if profile.entry.absence_can_be_proven]
    assert proven == ["reference"]


def test_a_sheet_that_asks_for_no_redirect_uri_is_refused(edited: Edit) -> None:
    path = edited(lambda profile: profile["onboarding"]["entries"].pop(2))
    assert "onboarding.entries: nothing asks for redirect_uri" in refusal(path)


def test_an_entry_that_says_two_things_or_none_is_refused(edited: Edit) -> None:
    path = edited(lambda profile: profile["onboarding"]["entries"][0].update(value="launch_url"))
    assert "onboarding.entries.0: write either value or text" in refusal(path)


def test_a_step_without_a_known_source_is_refused(edited: Edit) -> None:
    path = edited(lambda profile: profile["onboarding"]["steps"][0].update(source="E-HEARSAY"))
    assert "onboarding.steps.0: source 'E-HEARSAY' is not a key of sources" in refusal(path)


def test_a_value_that_no_sheet_can_fill_is_refused(edited: Edit) -> None:
    path = edited(lambda profile: profile["onboarding"]["entries"][2].update(value="secret"))
    assert "onboarding.entries.2.value" in refusal(path)


def test_what_comes_back_goes_into_a_field_of_the_registration(adapters: Adapters) -> None:
    fields = {*Tenant.model_fields, *(f"authentication.{name}" for name in ClientAuthentication.model_fields)}
    fields |= {f"note.{name}" for name in NotePolicy.model_fields}
    for adapter in adapters.values():
        assert {one.field for one in adapter.profile.onboarding.wanted_back} <= fields
