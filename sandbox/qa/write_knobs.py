"""Knobs of writes: what is answered after storing, what is stored, when it is seen, and what a condition is worth."""

from collections.abc import Callable
from typing import Any

from flask import Response, g

from sandbox.ehr import EHR, current_ehr
from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, outcome, setting
from sandbox.qa.stored_text import REWRITES, rewritten

Resource = dict[str, Any]
STORING = ("create", "update", "patch")
ANOTHER_TYPE = {"coding": [{"system": "http://loinc.org", "code": "34133-9", "display": "Summary of episode note"}]}


def _commit_then_bare(status: int | None = None) -> Answer:
    def answer(proceed: Proceed, _fault: Fault) -> Response:
        done = proceed()
        return Response("", done.status_code if status is None or done.status_code >= 300 else status)

    return answer


def _commit_then_garbled(proceed: Proceed, _fault: Fault) -> Response:
    response = proceed()
    response.set_data(b'{"resourceType": "DocumentRefer')
    return response


def _commit_then_warned(proceed: Proceed, fault: Fault) -> Response:
    response = proceed()
    response.set_data(outcome(response.status_code, fault, code="informational").get_data())
    return response


def _commit_then_invalid(proceed: Proceed, _fault: Fault) -> Response:
    response = proceed()
    response.set_data(b'{"resourceType": "DocumentReference", "id": 7, "content": "yes"}')
    return response


def _another_location(proceed: Proceed, fault: Fault) -> Response:
    response = proceed()
    response.headers["Location"] = str(fault.options.get("location", "https://elsewhere.example/DocumentReference/1"))
    return response


def _accepted(proceed: Proceed, fault: Fault) -> Response:
    requests = int(fault.options.get("requests", 0))
    g.file_later = (0 if requests else fault.seconds, requests)
    return proceed()


def _altered(change: Callable[[Resource, Fault, EHR], Any]) -> Answer:
    def answer(proceed: Proceed, fault: Fault) -> Response:
        ehr = current_ehr()
        g.alter_stored = lambda resource: change(resource, fault, ehr)
        return proceed()

    return answer


def _dropped(name: str) -> Answer:
    return _altered(lambda resource, _fault, _ehr: resource.pop(name, None))


def _unrecognisable(resource: Resource, _fault: Fault, _ehr: EHR) -> None:
    resource.pop("identifier", None)
    rewritten(resource, REWRITES["rewrite_text"][0])


def _without_label(resource: Resource, _fault: Fault, _ehr: EHR) -> None:
    resource.get("meta", {}).pop("security", None)


def _in_another_chart(resource: Resource, fault: Fault, ehr: EHR) -> None:
    name = next((name for name in ("subject", "patient", "for") if name in resource), None)
    if name is not None:
        mine = resource[name].get("reference", "").rpartition("/")[2]
        others = [one["id"] for one in ehr.store.current("Patient") if one["id"] != mine]
        chosen = fault.options.get("patient", others[0] if others else mine)
        resource[name] = {"reference": f"Patient/{chosen}"}


def _in_another_visit(resource: Resource, fault: Fault, ehr: EHR) -> None:
    place = resource.get("context", {}) if resource["resourceType"] == "DocumentReference" else resource
    mine = str(place.get("encounter", ""))
    others = [one["id"] for one in ehr.store.current("Encounter") if f"Encounter/{one['id']}'" not in mine]
    other = {"reference": f"Encounter/{fault.options.get('encounter', others[0] if others else 'none')}"}
    if "encounter" in place:
        place["encounter"] = [other] if isinstance(place["encounter"], list) else other


def _without_visit(resource: Resource, _fault: Fault, _ehr: EHR) -> None:
    resource.get("context", {}).pop("encounter", None)
    resource.pop("encounter", None)


def _of_another_type(resource: Resource, _fault: Fault, _ehr: EHR) -> None:
    if resource["resourceType"] == "DocumentReference":
        resource["type"] = ANOTHER_TYPE
    elif "code" in resource:
        resource["code"] = {"text": "Something else"}


def _of_another_value(resource: Resource, _fault: Fault, _ehr: EHR) -> None:
    for holder in [resource, *resource.get("component", [])]:
        if "valueQuantity" in holder:
            holder["valueQuantity"] = {**holder["valueQuantity"], "value": holder["valueQuantity"]["value"] + 1}


def _text(name: str) -> Answer:
    return _altered(lambda resource, _fault, _ehr: rewritten(resource, REWRITES[name][0]))


def _switch(name: str) -> Answer:
    return setting(name, lambda _fault: True)


WRITE_KNOBS: dict[str, Knob] = {
    "commit_without_location": Knob(_commit_then_bare(), "Does it, without Location, ETag or body", STORING),
    "commit_then_200": Knob(_commit_then_bare(200), "Does it, 200 and nothing else", STORING),
    "commit_then_204": Knob(_commit_then_bare(204), "Does it, 204 and nothing else", STORING),
    "commit_then_garbled": Knob(_commit_then_garbled, "Does it, answers half a JSON document", STORING),
    "commit_then_invalid": Knob(_commit_then_invalid, "Does it, answers a resource that is not valid", STORING),
    "commit_then_warned": Knob(_commit_then_warned, "Does it, answers an OperationOutcome", STORING),
    "commit_then_elsewhere": Knob(_another_location, "Does it, with a Location somewhere else", STORING),
    "accept_then_file": Knob(
        _accepted, "202 at first; files it seconds later, or after as many requests (options: requests)", ("create",)
    ),
    "search_lag": Knob(
        setting("searchable_after_seconds", lambda fault: fault.seconds), "Stores it; searches see it later", STORING
    ),
    "drop_identifier": Knob(_dropped("identifier"), "Stores it without identifier", STORING),
    "drop_identifier_and_text": Knob(
        _altered(_unrecognisable), "Stores it without identifier, and a note with another text", STORING
    ),
    "drop_label": Knob(_altered(_without_label), "Stores it without security label", STORING),
    "drop_author": Knob(_dropped("author"), "Stores it without author", STORING),
    "drop_encounter": Knob(_altered(_without_visit), "Stores it without its visit", STORING),
    "change_encounter": Knob(_altered(_in_another_visit), "Stores it in another visit (options: encounter)", STORING),
    "change_patient": Knob(_altered(_in_another_chart), "Stores it in another chart (options: patient)", STORING),
    "change_type": Knob(_altered(_of_another_type), "Stores it with another type or code", STORING),
    "change_value": Knob(_altered(_of_another_value), "Stores measurements one higher", STORING),
    **{name: Knob(_text(name), words, STORING, of_type="DocumentReference") for name, (_, words) in REWRITES.items()},
    "provenance_refused": Knob(
        lambda _proceed, fault: outcome(422, fault, code="invalid"),
        "Refuses a Provenance",
        ("create",),
        of_type="Provenance",
    ),
    "x_provenance_ignored": Knob(_switch("ignore_x_provenance"), "X-Provenance is ignored", STORING, setting=True),
    "condition_ignored": Knob(_switch("ignore_condition"), "If-None-Exist is ignored", ("create",)),
    "condition_racy": Knob(
        setting("condition_race_seconds", lambda fault: fault.seconds),
        "If-None-Exist is looked up first, and the resource is stored later, without a lock",
        ("create",),
    ),
    "version_required": Knob(_switch("version_required"), "400 without If-Match", ("update", "patch"), setting=True),
    "version_ignored": Knob(
        _switch("ignore_if_match"), "If-Match is ignored: the last one wins", ("update", "patch"), setting=True
    ),
    "replaces_ignored": Knob(
        _switch("ignore_replaces"), "What relatesTo replaces stays current", STORING, setting=True
    ),
}
