"""Changing what is filed: corrections, addenda and retractions, as payloads."""

import base64
import json
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from pyfhircheck.core.engine import Validator
from signed_notes import a_signed_note

from vendors.contract import Related, Stored
from vendors.errors import InvalidResource, Unsupported
from vendors.fhir_r4 import FHIRR4

Adapters = dict[str, FHIRR4]

SYSTEM = "https://countersign.example/notes"
ORIGINAL = {"system": SYSTEM, "value": "tenant-1/note-7/1"}
CORRECTED = "lisinopril 10 mg daily."


def filed(adapter: FHIRR4, **changes: Any) -> Stored:
    """Our note as an EHR holds it, with what it added by itself."""
    resource = {
        **json.loads(adapter.render_note(a_signed_note())),
        "id": "88",
        "meta": {"versionId": "3", "tag": [{"code": "kept"}]},
        "masterIdentifier": {"system": "urn:ehr", "value": "D-4711"},
        "extension": [{"url": "https://ehr.example/workflow", "valueCode": "done"}],
        "authenticator": {"reference": "Practitioner/d7"},
        **changes,
    }
    return Stored(resource, "88", "3", 'W/"3"', b"")


def anew(**changes: Any) -> Any:
    second = {"identifier_value": "tenant-1/note-7/2", "text": CORRECTED, "doc_status": "amended"}
    return a_signed_note(**{**second, **changes})


# --- a new document beside the first


@pytest.mark.parametrize(
    ("code", "reference", "target"),
    [
        ("replaces", "DocumentReference/88", {"reference": "DocumentReference/88", "identifier": ORIGINAL}),
        ("appends", "", {"identifier": ORIGINAL}),
    ],
)
def test_a_correction_replaces_and_an_addendum_appends(
    adapters: Adapters, code: Any, reference: str, target: dict[str, Any]
) -> None:
    """C36: by our own identifier always, by the EHR's id where it was known at signing."""
    related = Related(code, reference, SYSTEM, ORIGINAL["value"])
    note = a_signed_note(identifier_value="tenant-1/note-7/2", relates_to=related)
    resource = json.loads(adapters["reference"].render_note(note))
    assert resource["relatesTo"] == [{"code": code, "target": target}]
    assert (resource["status"], resource["docStatus"]) == ("current", "final")
    DocumentReference.model_validate(resource)
    assert Validator().validate_resource(resource).issues == []


def test_a_note_that_relates_to_nothing_says_nothing_of_it(adapters: Adapters) -> None:
    assert "relatesTo" not in json.loads(adapters["reference"].render_note(a_signed_note()))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"doc_status": "amended", "file_as": "preliminary"}, "amended-not-final"),
        ({"relates_to": Related("appends", "DocumentReference/88")}, "related-without-identifier"),
    ],
)
def test_a_change_that_contradicts_itself_is_refused(adapters: Adapters, changes: dict[str, Any], code: str) -> None:
    """C36, C37: amended is said only of what is complete and verified again."""
    with pytest.raises(InvalidResource) as caught:
        adapters["reference"].render_note(a_signed_note(**changes))
    assert caught.value.issue_codes == (code,)


# --- the same document, amended


def test_an_amended_note_says_what_was_signed_and_keeps_what_the_ehr_added(adapters: Adapters) -> None:
    """C11, C37: a whole PUT over the version that was read."""
    adapter = adapters["reference"]
    write = adapter.amendment(filed(adapter), anew())
    assert (write.interaction, write.target_id, write.if_match) == ("update", "88", 'W/"3"')
    resource = json.loads(write.payload)
    assert (resource["id"], resource["status"], resource["docStatus"]) == ("88", "current", "amended")
    (content,) = resource["content"]
    assert base64.b64decode(content["attachment"]["data"]).decode() == CORRECTED
    kept = {"masterIdentifier", "extension", "authenticator", "subject", "context", "category"}
    assert {name: resource[name] for name in kept} == {name: filed(adapter).resource[name] for name in kept}
    assert resource["identifier"] == [{"system": SYSTEM, "value": "tenant-1/note-7/2"}, ORIGINAL]
    assert resource["meta"]["tag"] == [{"code": "kept"}]
    assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]


@pytest.mark.parametrize(
    ("authenticator", "kept"), [("https://ehr.example/fhir/Practitioner/d7", True), ("Practitioner/another", False)]
)
def test_what_spoke_of_the_old_words_does_not_speak_of_the_new_ones(
    adapters: Adapters, authenticator: str, kept: bool
) -> None:
    """C37: nobody is left standing as having authenticated what they did not see."""
    adapter = adapters["reference"]
    old = {"text": {"status": "generated", "div": "<div>20 mg</div>"}, "_description": {"id": "x"}}
    stored = filed(adapter, authenticator={"reference": authenticator}, **old)
    resource = json.loads(adapter.amendment(stored, anew()).payload)
    assert ("text" in resource, "_description" in resource, "authenticator" in resource) == (False, False, kept)


@pytest.mark.parametrize("odd", [{"identifier": "x", "meta": "x"}, {"meta": {"security": "x"}, "identifier": None}])
def test_an_oddity_of_the_chart_stops_no_amendment(adapters: Adapters, odd: dict[str, Any]) -> None:
    adapter = adapters["reference"]
    resource = json.loads(adapter.amendment(filed(adapter, **odd), anew()).payload)
    assert resource["identifier"] == [{"system": SYSTEM, "value": "tenant-1/note-7/2"}]
    assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]


def test_amended_without_a_signature_that_says_so_is_impossible(adapters: Adapters) -> None:
    """C37: the only maker of an amendment takes a signed note, marked as amended."""
    adapter = adapters["reference"]
    with pytest.raises(InvalidResource) as caught:
        adapter.amendment(filed(adapter), anew(doc_status=""))
    assert caught.value.issue_codes == ("not-marked-amended",)


# --- marked as entered in error


def test_a_retracted_note_keeps_all_its_content(adapters: Adapters) -> None:
    """C38: the whole resource as it was read, but for its status; nothing is deleted."""
    adapter = adapters["reference"]
    write = adapter.retraction(filed(adapter))
    assert (write.interaction, write.target_id, write.if_match) == ("update", "88", 'W/"3"')
    assert json.loads(write.payload) == {**filed(adapter).resource, "status": "entered-in-error"}


def test_where_patches_are_taken_a_retraction_tests_what_it_marks(adapters: Adapters) -> None:
    """C13, C38: what was changed since is not marked by mistake."""
    profile = adapters["reference"].profile
    rule = profile.note.retraction.model_copy(update={"value": "patch"})
    patching = FHIRR4(profile.model_copy(update={"note": profile.note.model_copy(update={"retraction": rule})}))
    write = patching.retraction(filed(patching))
    assert (write.interaction, write.if_match) == ("patch", 'W/"3"')
    assert json.loads(write.payload) == [
        {"op": "test", "path": "/resourceType", "value": "DocumentReference"},
        {"op": "test", "path": "/status", "value": "current"},
        {"op": "add", "path": "/status", "value": "entered-in-error"},
    ]


def test_each_type_of_entry_is_retracted_in_its_own_words(adapters: Adapters) -> None:
    """C38: an allergy and a problem say it by their verification, beside which no clinical status may stand."""
    allergy = {"resourceType": "AllergyIntolerance", "id": "a1", "clinicalStatus": {"text": "active"}, "code": {}}
    marked = json.loads(adapters["reference"].retraction(Stored(allergy, "a1", "1", None, b"")).payload)
    assert marked["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in marked
    vital = {"resourceType": "Observation", "id": "o1", "status": "final"}
    marked = json.loads(adapters["reference"].retraction(Stored(vital, "o1", "1", None, b"")).payload)
    assert marked == {**vital, "status": "entered-in-error"}


@pytest.mark.parametrize(("etag", "version", "named"), [(None, "3", 'W/"3"'), ('"opaque"', "3", '"opaque"')])
def test_the_version_is_named_as_the_ehr_gave_it(
    adapters: Adapters, etag: str | None, version: str, named: str
) -> None:
    """C02, C11: where no ETag came, R4 makes one of the version id."""
    adapter = adapters["reference"]
    stored = Stored(filed(adapter).resource, "88", version, etag, b"")
    assert adapter.retraction(stored).if_match == named


def test_nothing_is_changed_over_a_version_that_nobody_told(adapters: Adapters) -> None:
    """C11: an update without If-Match could overwrite what a colleague wrote since."""
    adapter = adapters["reference"]
    unversioned = Stored(filed(adapter).resource, "88", None, None, b"")
    for change in (lambda: adapter.retraction(unversioned), lambda: adapter.amendment(unversioned, anew())):
        with pytest.raises(InvalidResource) as caught:
            change()
        assert caught.value.issue_codes == ("version-not-told",)


@pytest.mark.parametrize("vendor", ["athenaone", "ecw", "epic", "veradigm"])
def test_where_no_source_names_a_way_the_change_is_made_by_hand(adapters: Adapters, vendor: str) -> None:
    """C36, C38."""
    adapter = adapters[vendor]
    assert (adapter.profile.note.amendment.value, adapter.profile.note.retraction.value) == ((), "none")
    with pytest.raises(Unsupported):
        adapter.retraction(filed(adapter))
    with pytest.raises(Unsupported):
        adapter.amendment(filed(adapter), anew())


def test_what_has_no_word_for_it_is_not_retracted(adapters: Adapters) -> None:
    with pytest.raises(Unsupported):
        adapters["reference"].retraction(Stored({"resourceType": "Provenance", "id": "v1"}, "v1", "1", None, b""))
