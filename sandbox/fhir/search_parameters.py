"""Where each search parameter looks (https://hl7.org/fhir/R4/searchparameter-registry.html)."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["token", "reference", "date", "string"]


@dataclass(frozen=True)
class Parameter:
    """One search parameter: how its value is compared, and with which elements."""

    kind: Kind
    paths: tuple[str, ...]


def _token(*paths: str) -> Parameter:
    return Parameter("token", paths)


def _reference(*paths: str) -> Parameter:
    return Parameter("reference", paths)


def _date(*paths: str) -> Parameter:
    return Parameter("date", paths)


def _string(*paths: str) -> Parameter:
    return Parameter("string", paths)


EVERY_TYPE = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "identifier": _token("identifier"),
}
SUBJECT = {"patient": _reference("subject"), "subject": _reference("subject")}

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Patient": {
        "family": _string("name.family"),
        "given": _string("name.given"),
        "name": _string("name.family", "name.given", "name.text"),
        "birthdate": _date("birthDate"),
        "gender": _token("gender"),
    },
    "Practitioner": {"name": _string("name.family", "name.given", "name.text")},
    "Organization": {"name": _string("name")},
    "Encounter": {
        **SUBJECT,
        "date": _date("period"),
        "status": _token("status"),
        "class": _token("class"),
        "type": _token("type"),
        "reason-code": _token("reasonCode"),
    },
    "Condition": {
        **SUBJECT,
        "category": _token("category"),
        "clinical-status": _token("clinicalStatus"),
        "encounter": _reference("encounter"),
        "code": _token("code"),
        "onset-date": _date("onsetDateTime", "onsetPeriod"),
        "recorded-date": _date("recordedDate"),
        "verification-status": _token("verificationStatus"),
    },
    "MedicationRequest": {
        **SUBJECT,
        "status": _token("status"),
        "intent": _token("intent"),
        "encounter": _reference("encounter"),
        "category": _token("category"),
        "code": _token("medicationCodeableConcept"),
        "authoredon": _date("authoredOn"),
        "requester": _reference("requester"),
    },
    "AllergyIntolerance": {
        "patient": _reference("patient"),
        "category": _token("category"),
        "clinical-status": _token("clinicalStatus"),
        "verification-status": _token("verificationStatus"),
        "code": _token("code"),
        "date": _date("recordedDate"),
    },
    "Observation": {
        **SUBJECT,
        "category": _token("category"),
        "code": _token("code"),
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "encounter": _reference("encounter"),
        "status": _token("status"),
    },
    "DocumentReference": {
        **SUBJECT,
        "encounter": _reference("context.encounter"),
        "category": _token("category"),
        "type": _token("type"),
        "date": _date("date"),
        "period": _date("context.period"),
        "docstatus": _token("docStatus"),
        "status": _token("status"),
        "author": _reference("author"),
        "relatesto": _reference("relatesTo.target"),
    },
    "Provenance": {
        "target": _reference("target"),
        "patient": _reference("target"),
        "agent": _reference("agent.who"),
        "recorded": _date("recorded"),
    },
    "Device": {"device-name": _string("deviceName.name")},
    "Task": {
        "patient": _reference("for"),
        "subject": _reference("for"),
        "status": _token("status"),
        "intent": _token("intent"),
        "code": _token("code"),
        "encounter": _reference("encounter"),
        "focus": _reference("focus"),
        "owner": _reference("owner"),
        "requester": _reference("requester"),
        "authored-on": _date("authoredOn"),
    },
    "Communication": {
        **SUBJECT,
        "encounter": _reference("encounter"),
        "category": _token("category"),
        "status": _token("status"),
        "sent": _date("sent"),
        "received": _date("received"),
        "sender": _reference("sender"),
    },
}


def find_parameter(resource_type: str, name: str) -> Parameter | None:
    """The parameter of this name, without its modifier."""
    return PARAMETERS.get(resource_type, {}).get(name) or EVERY_TYPE.get(name)
