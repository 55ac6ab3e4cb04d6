"""What people do in the EHR behind the app's back, and what the EHR tells the app about it."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.qa.callbacks import Delivery, Subscription
from sandbox.qa.edits import UnusableEdit
from tests.sandbox.in_process import Asked, encoded

SECRET = "between the two of us"


@pytest.fixture(scope="module")
def shared() -> Asked:
    return Asked()


@pytest.fixture
def ehr(shared: Asked) -> Iterator[Asked]:
    yield shared
    shared.ehr.faults.clear()


@pytest.mark.parametrize(
    ("action", "changed", "activity"),
    [
        ("edit_text", {}, "UPDATE"),
        ("sign", {"docStatus": "final", "authenticator": {"reference": "Practitioner/dr-2"}}, "LA"),
        ("amend", {"docStatus": "amended"}, "DO"),
        ("invalidate", {"status": "entered-in-error"}, "NULLIFY"),
    ],
)
def test_a_person_changes_a_note_and_the_chart_says_who(
    ehr: Asked, action: str, changed: dict[str, Any], activity: str
) -> None:
    """B23: a new version, the person in the EHR's list and in a Provenance of that version; no app wrote it."""
    note = ehr.file("As signed.", docStatus="preliminary")
    place = f"DocumentReference/{note['id']}"
    assert ehr.edit(action, place, by="dr-2", text="As edited.") == [f"{place}/_history/2"]
    present = ehr.ask("GET", place)
    assert present.headers["ETag"] == 'W/"2"'
    assert {name: present.json[name] for name in changed} == changed
    rewritten = action in ("edit_text", "amend")
    assert present.json["content"][0]["attachment"]["data"] == encoded("As edited." if rewritten else "As signed.")
    provenance = ehr.ask("GET", f"Provenance?target={place}").json["entry"][0]["resource"]
    assert provenance["target"] == [{"reference": f"{place}/_history/2"}]
    assert provenance["agent"][0]["who"] == {"reference": "Practitioner/dr-2"}
    assert provenance["activity"]["coding"][0]["code"] == activity
    by = [(one.subject, one.person) for one in ehr.ehr.store.everything() if one.id == note["id"]]
    assert by == [("dr-1", None), (None, "dr-2")]


def test_a_note_kept_apart_from_its_text_is_edited_too() -> None:
    epic = Asked("epic", "e1001")
    visit = next(v for v in epic.ehr.store.current("Encounter", "e1001") if v["status"] == "in-progress")
    note = epic.file("As signed.", context={"encounter": [{"reference": f"Encounter/{visit['id']}"}]})
    epic.edit("edit_text", f"DocumentReference/{note['id']}", text="As edited.")
    url = epic.ask("GET", f"DocumentReference/{note['id']}").json["content"][0]["attachment"]["url"]
    assert epic.ask("GET", url, Accept="text/plain").body == b"As edited."


def test_a_diagnosis_is_amended_and_invalidated_as_its_type_says(ehr: Asked) -> None:
    condition = {"resourceType": "Condition", "code": {"text": "Cough"}, "subject": {"reference": "Patient/1001"}}
    stored = ehr.ask("POST", "Condition", condition | {"clinicalStatus": {"coding": [{"code": "active"}]}}).json
    place = f"Condition/{stored['id']}"
    ehr.edit("edit_text", place, text="Pneumonia")
    assert ehr.ask("GET", place).json["code"] == {"text": "Pneumonia"}
    ehr.edit("invalidate", place)
    present = ehr.ask("GET", place).json
    assert present["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in present


def test_a_deleted_note_is_gone_and_can_come_back(ehr: Asked) -> None:
    """B23: 410, then the version before the deletion again."""
    place = f"DocumentReference/{ehr.file()['id']}"
    ehr.edit("delete", place)
    assert ehr.ask("GET", place).status == 410
    ehr.edit("restore", place)
    assert (ehr.ask("GET", place).status, ehr.ask("GET", place).headers["ETag"]) == (200, 'W/"3"')


def test_a_restore_from_a_backup_forgets_what_came_later(ehr: Asked) -> None:
    """B23: a note of after the backup is 404, and what was edited is as it was."""
    old = ehr.file("Before.")
    mark = ehr.ehr.store.mark()
    new = ehr.file("After.")
    ehr.edit("edit_text", f"DocumentReference/{old['id']}", text="Changed after.")
    ehr.edit("restore_backup", mark=mark)
    assert ehr.ask("GET", f"DocumentReference/{new['id']}").status == 404
    assert ehr.total(f"DocumentReference?patient=1001&identifier={new['identifier'][0]['value']}") == 0
    present = ehr.ask("GET", f"DocumentReference/{old['id']}")
    assert (present.headers["ETag"], present.json["content"]) == ('W/"1"', old["content"])
    ehr.edit("lose", f"DocumentReference/{old['id']}")
    assert ehr.ask("GET", f"DocumentReference/{old['id']}").status == 404


def test_a_restore_forgets_what_was_accepted_and_not_filed_yet(ehr: Asked) -> None:
    """B23: a 202 of before the restore is kept by nobody; no note of another day appears."""
    mark = ehr.ehr.store.mark()
    ehr.arm("accept_then_file", seconds=60)
    assert ehr.ask("POST", "DocumentReference", ehr.note()).status == 202
    ehr.edit("restore_backup", mark=mark)
    ehr.time.at += 61
    ehr.sandbox.let_time_pass("reference")
    assert ehr.ehr.store.mark() == mark


@pytest.mark.parametrize(("old_id", "status"), [("kept", 200), ("gone", 404), ("redirected", 301)])
def test_a_merged_patients_notes_are_in_the_chart_that_survives(ehr: Asked, old_id: str, status: int) -> None:
    """B23: subject changed, Patient.link replaced-by, and the old id as the knob says."""
    old, into = f"old-{old_id}", f"new-{old_id}"
    for patient in (old, into):
        ehr.ehr.store.create({"resourceType": "Patient", "id": patient})
    note = ehr.file(subject={"reference": f"Patient/{old}"})
    ehr.edit("merge_patient", f"Patient/{old}", into=into, old_id=old_id)
    present = ehr.ask("GET", f"DocumentReference/{note['id']}").json
    assert (present["subject"], present["meta"]["versionId"]) == ({"reference": f"Patient/{into}"}, "2")
    assert ehr.total(f"DocumentReference?patient={into}") == 1
    assert ehr.total(f"Provenance?target=DocumentReference/{note['id']}") == 1
    merged = ehr.ask("GET", f"Patient/{old}")
    assert merged.status == status
    if old_id == "kept":
        assert merged.json["link"] == [{"other": {"reference": f"Patient/{into}"}, "type": "replaced-by"}]
    if old_id == "redirected":
        assert merged.headers["Location"].endswith(f"/Patient/{into}")


@pytest.mark.parametrize(("action", "status"), [("close_encounter", "finished"), ("cancel_encounter", "cancelled")])
def test_a_visit_is_closed_or_cancelled(ehr: Asked, action: str, status: str) -> None:
    """B23."""
    visit = {"resourceType": "Encounter", "status": "in-progress", "class": {"code": "AMB"}, "id": action}
    ehr.ehr.store.create({**visit, "subject": {"reference": "Patient/1001"}})
    ehr.edit(action, f"Encounter/{action}")
    assert ehr.ask("GET", f"Encounter/{action}").json["status"] == status


@pytest.mark.parametrize(
    "edit",
    [
        {"action": "burn"},
        {"action": "sign", "resource": "DocumentReference/none"},
        {"action": "sign", "resource": "Patient/1001", "by": "dr-nobody"},
        {"action": "merge_patient", "resource": "Patient/1001", "into": "1001"},
        {"action": "restore", "resource": "Patient/1001"},
        {"action": "restore_backup"},
    ],
)
def test_what_nobody_could_do_is_refused(ehr: Asked, edit: dict[str, str]) -> None:
    with pytest.raises(UnusableEdit):
        ehr.edit(**edit)


def _told(ehr: Asked, *faults: str, seconds: float = 60) -> list[Delivery]:
    """The notices of two new notes and one edit, with these faults armed in this order."""
    ehr.ehr.callbacks.subscribe(Subscription(url="https://app.example/callbacks", secret=SECRET, automatic=False))
    for fault in faults:
        ehr.arm(fault, seconds=seconds)
    first, _second = ehr.file(), ehr.file()
    ehr.edit("sign", f"DocumentReference/{first['id']}")
    return ehr.ehr.callbacks.due()


def _said(delivery: Delivery) -> tuple[str, str]:
    notice = json.loads(delivery.body)
    return notice["resource"], notice["version"]


def _genuine(delivery: Delivery) -> bool:
    signed = delivery.headers.get("X-Signature-Timestamp", "").encode() + b"." + delivery.body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return delivery.headers.get("X-Signature") == f"sha256={expected}"


def test_an_app_is_told_of_every_change_under_a_signature(ehr: Asked) -> None:
    told = _told(ehr)
    assert [json.loads(one.body)["type"].partition(".")[2] for one in told] == ["created", "created", "updated"]
    assert [_said(one)[1] for one in told] == ["1", "1", "2"]
    assert all(_genuine(one) for one in told)
    assert all(one.headers["X-Signature-Timestamp"] == str(int(ehr.time.at)) for one in told)
    assert len({one.id for one in told}) == 3
    assert ehr.ehr.callbacks.due() == []


def test_a_notice_that_was_not_taken_comes_again_three_times(ehr: Asked) -> None:
    notice = _told(ehr)[0]
    for _ in range(3):
        ehr.ehr.callbacks.undelivered(notice)
        ehr.time.at += 6
        notice = ehr.ehr.callbacks.due()[0]
    ehr.ehr.callbacks.undelivered(notice)
    ehr.time.at += 6
    assert ehr.ehr.callbacks.due() == []


def test_notices_are_duplicated_reordered_late_lost_and_replayed(ehr: Asked) -> None:
    """B23: the same change has the same id however often and whenever it comes."""
    twice = _told(ehr, "callback_twice")
    assert [one.id for one in twice].count(twice[0].id) == 2
    assert [one.knob for one in _told(ehr, "callback_reordered")] == [None, "callback_reordered", None]
    late = _told(ehr, "callback_late")
    assert len(late) == 2
    ehr.time.at += 61
    assert len(ehr.ehr.callbacks.due()) == 1
    assert len(_told(ehr, "callback_lost")) == 2
    replayed = _told(ehr, "callback_replayed")
    assert len(replayed) > 6
    assert {one.id for one in late} <= {one.id for one in replayed}
    assert all(_genuine(one) for one in replayed)


def test_notices_come_with_a_wrong_clock_a_wrong_signature_or_half(ehr: Asked) -> None:
    """B23."""
    skewed = _told(ehr, "callback_skewed", seconds=-500)[0]
    assert _genuine(skewed)
    assert skewed.headers["X-Signature-Timestamp"] == str(int(ehr.time.at - 500))
    for fault in ("callback_bad_signature", "callback_unsigned", "callback_garbled"):
        assert not _genuine(_told(ehr, fault)[0])
