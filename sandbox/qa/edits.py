"""What people at the EHR do to its charts, behind the back of every app: each leaves a version and a Provenance."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.ehr import EHR
from sandbox.people.display import clinician_names
from sandbox.qa.chart_resources import about_another_patient, invalidated, with_text

Resource = dict[str, Any]
ACTIVITY_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
COMPLETION_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion"
AGENT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


class Edit(BaseModel):
    """One thing that a person does, as `POST /qa/<ehr>/edits` takes it.

    `resource` is `DocumentReference/88`; `by` a Practitioner's id (left out: the last in the list). `text` is the new
    text of a note or the new name of a diagnosis; `into` the chart that survives a merge and `old_id` what becomes of
    the other; `version` what is restored; `mark` the backup to go back to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: str
    resource: str = ""
    by: str = ""
    text: str | None = None
    into: str = ""
    old_id: Literal["kept", "gone", "redirected"] = "kept"
    version: int | None = None
    mark: int | None = None


class UnusableEdit(ValueError):
    """What nobody could do in this EHR, in words for whoever asked for it."""


@dataclass(frozen=True)
class Action:
    """What a person can do: how a resource comes out of it, and how the EHR's Provenance names it."""

    change: Callable[[EHR, Resource, Edit], Resource]
    words: str
    activity: tuple[str, str] = (ACTIVITY_SYSTEM, "UPDATE")


def carry_out(ehr: EHR, edit: Edit) -> list[str]:
    """Do it, and say which resources changed (`DocumentReference/88/_history/2`). Raises UnusableEdit."""
    whole = OF_THE_WHOLE_EHR.get(edit.action)
    if whole is not None:
        with ehr.database.transaction():
            return whole[0](ehr, edit)
    action = ACTIONS.get(edit.action)
    if action is None:
        raise UnusableEdit(f"no such action: {edit.action}; there are {', '.join(sorted(WORDS))}")
    with ehr.database.transaction():
        changed = ehr.store.update(action.change(ehr, _named(ehr, edit), edit))
        return [_by_somebody(ehr, edit, changed, action.activity)]


def back_up(ehr: EHR) -> int:
    """A backup: the mark that `restore_backup` goes back to."""
    return ehr.store.mark()


def _by_somebody(ehr: EHR, edit: Edit, changed: Resource, activity: tuple[str, str]) -> str:
    """Note who did it, in the EHR's own list and, as a chart does, in a Provenance of that version."""
    person = _person(ehr, edit)
    moment = datetime.fromtimestamp(ehr.clock.now(), UTC).isoformat(timespec="milliseconds")
    version = int(changed["meta"]["versionId"])
    place = f"{changed['resourceType']}/{changed['id']}/_history/{version}"
    ehr.database.change(
        "INSERT INTO chart_changes (time, action, resource_type, id, version, person) VALUES (?, ?, ?, ?, ?, ?)",
        *(moment, edit.action, changed["resourceType"], changed["id"], version, person),
    )
    author = {"coding": [{"system": AGENT_TYPE, "code": "author"}]}
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": place}],
        "recorded": moment,
        "activity": {"coding": [{"system": activity[0], "code": activity[1]}]},
        "agent": [{"type": author, "who": {"reference": f"Practitioner/{person}"}}],
    }
    ehr.store.create(provenance, patient=ehr.store.patient_of(changed["resourceType"], changed["id"]))
    return place


def _person(ehr: EHR, edit: Edit) -> str:
    known = list(clinician_names(ehr.store))
    if edit.by and edit.by not in known:
        raise UnusableEdit(f"no such clinician: {edit.by}; there are {', '.join(known)}")
    return edit.by or (known[-1] if known else "somebody")


def _named(ehr: EHR, edit: Edit) -> Resource:
    resource_type, _, resource_id = edit.resource.partition("/")
    found = ehr.store.read(resource_type, resource_id)
    if found is None and edit.action == "restore":
        history = ehr.store.history(resource_type, resource_id)
        found = history[0].resource if history else None
    if found is None:
        raise UnusableEdit(f"nothing here is called {edit.resource or '(no resource named)'}")
    return found


def _edited(ehr: EHR, resource: Resource, edit: Edit) -> Resource:
    return with_text(ehr, resource, edit.text)


def _signed(ehr: EHR, resource: Resource, edit: Edit) -> Resource:
    return {**resource, "docStatus": "final", "authenticator": {"reference": f"Practitioner/{_person(ehr, edit)}"}}


def _amended(ehr: EHR, resource: Resource, edit: Edit) -> Resource:
    return {**with_text(ehr, resource, edit.text), "docStatus": "amended"}


def _restored(ehr: EHR, resource: Resource, edit: Edit) -> Resource:
    present = int(resource["meta"]["versionId"])
    versions = ehr.store.history(resource["resourceType"], resource["id"])
    wanted = edit.version if edit.version is not None else present - 1
    found = next((one.resource for one in versions if one.version == wanted and one.method != "DELETE"), None)
    if found is None:
        raise UnusableEdit(f"{edit.resource} has no version {wanted} to restore")
    return found


def _status(status: str) -> Callable[[EHR, Resource, Edit], Resource]:
    def change(ehr: EHR, resource: Resource, _edit: Edit) -> Resource:
        moment = datetime.fromtimestamp(ehr.clock.now(), UTC).isoformat(timespec="seconds")
        return {**resource, "status": status, "period": {**resource.get("period", {}), "end": moment}}

    return change


def _delete(ehr: EHR, edit: Edit) -> list[str]:
    resource = _named(ehr, edit)
    ehr.store.delete(resource["resourceType"], resource["id"])
    gone = ehr.store.history(resource["resourceType"], resource["id"])[0].resource
    return [_by_somebody(ehr, edit, gone, (ACTIVITY_SYSTEM, "DELETE"))]


def _lose(ehr: EHR, edit: Edit) -> list[str]:
    resource = _named(ehr, edit)
    ehr.store.erase(resource["resourceType"], resource["id"])
    return [edit.resource]


def _restore_backup(ehr: EHR, edit: Edit) -> list[str]:
    if edit.mark is None or edit.mark > ehr.store.mark():
        raise UnusableEdit("say which backup: mark is what POST /qa/<ehr>/backups answered")
    ehr.later.forget()
    ehr.store.rewind(edit.mark)
    return []


def _file_accepted(ehr: EHR, _edit: Edit) -> list[str]:
    ehr.later.file_all()
    return []


def _merge(ehr: EHR, edit: Edit) -> list[str]:
    """https://hl7.org/fhir/R4/patient.html#links: the old record is replaced by the one that survives."""
    old = _named(ehr, edit)
    survivor = ehr.store.read("Patient", edit.into)
    if old["resourceType"] != "Patient" or survivor is None or survivor["id"] == old["id"]:
        raise UnusableEdit("a merge needs resource Patient/<old> and into <the id of another patient>")
    changed = [
        ehr.store.update(about_another_patient(one, old["id"], survivor["id"])) for one in _chart(ehr, old["id"])
    ]
    ehr.store.move_chart(old["id"], survivor["id"])
    changed.append(ehr.store.update(_linked(survivor, old["id"], "replaces")))
    changed.append(ehr.store.update({**_linked(old, survivor["id"], "replaced-by"), "active": False}))
    places = [_by_somebody(ehr, edit, one, (ACTIVITY_SYSTEM, "UPDATE")) for one in changed]
    if edit.old_id != "kept":
        ehr.store.erase("Patient", old["id"])
    if edit.old_id == "redirected":
        ehr.database.change("INSERT OR REPLACE INTO moved VALUES ('Patient', ?, ?)", old["id"], survivor["id"])
    return places


def _chart(ehr: EHR, patient: str) -> list[Resource]:
    own = [name for name in ehr.personality.fhir.resources if name not in ("Patient", "Binary", "Provenance")]
    return [resource for name in own for resource in ehr.store.current(name, patient)]


def _linked(patient: Resource, other: str, kind: str) -> Resource:
    link = {"other": {"reference": f"Patient/{other}"}, "type": kind}
    return {**patient, "link": [*patient.get("link", []), link]}


ACTIONS: dict[str, Action] = {
    "edit_text": Action(_edited, "Change a note's text, or a diagnosis's name"),
    "sign": Action(_signed, "Sign a note in the EHR", (COMPLETION_SYSTEM, "LA")),
    "amend": Action(_amended, "Amend a note in the EHR", (COMPLETION_SYSTEM, "DO")),
    "invalidate": Action(
        lambda _ehr, resource, _edit: invalidated(resource), "Mark as entered in error", (ACTIVITY_SYSTEM, "NULLIFY")
    ),
    "restore": Action(_restored, "Make an earlier version the present one again", (ACTIVITY_SYSTEM, "REACTIVATE")),
    "close_encounter": Action(_status("finished"), "Close a visit", (ACTIVITY_SYSTEM, "COMPLETE")),
    "cancel_encounter": Action(_status("cancelled"), "Cancel a visit", (ACTIVITY_SYSTEM, "CANCEL")),
}
OF_THE_WHOLE_EHR: dict[str, tuple[Callable[[EHR, Edit], list[str]], str]] = {
    "delete": (_delete, "Delete it: 410 from now on"),
    "lose": (_lose, "Lose it, as an older backup would: 404, as if it had never been"),
    "merge_patient": (_merge, "Merge a patient into another one"),
    "file_accepted": (_file_accepted, "File now what was accepted with 202"),
    "restore_backup": (_restore_backup, "Restore the whole EHR from a backup"),
}
WORDS = {name: action.words for name, action in ACTIONS.items()} | {
    name: words for name, (_, words) in OF_THE_WHOLE_EHR.items()
}
