import base64
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from scripted_server import Answer, Reply, Request, ScriptedServer, bundle, fhir, outcome

from vendors import errors
from vendors.chart import Chart, ChartItem, Unread, read_chart
from vendors.transport import FHIRTransport

Serve = Callable[[Answer], ScriptedServer]
To = Callable[..., FHIRTransport]
Resource = dict[str, Any]

ANA = {"reference": "Patient/p1"}
PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "4"},
    "identifier": [{"value": "other"}, {"type": {"coding": [{"code": "MR"}]}, "value": "MRN-1"}],
    "name": [{"use": "old", "family": "Soto"}, {"use": "official", "family": "Rivera", "given": ["Ana", "M"]}],
    "gender": "female",
    "birthDate": "1962-03-14",
}
VISIT: Resource = {
    "resourceType": "Encounter",
    "id": "e9",
    "status": "in-progress",
    "class": {"code": "AMB"},
    "subject": ANA,
    "period": {"start": "2026-11-22T14:00:00-06:00"},
    "reasonCode": [{"text": "Dizziness"}],
    "serviceProvider": {"reference": "Organization/o1"},
}
DOCTOR: Resource = {
    "resourceType": "Practitioner",
    "id": "d7",
    "name": [{"prefix": ["Dr."], "given": ["Kwame"], "family": "Osei"}],
    "qualification": [{"code": {"text": "Family medicine"}}],
}


def observation(resource_id: str, name: str, **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": resource_id,
        "status": "final",
        "code": {"text": name},
        "subject": ANA,
        **more,
    }


def loinc(code: str) -> Resource:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def document(resource_id: str, **more: Any) -> Resource:
    content = [{"attachment": attachment("Patient says she is dizzy.")}]
    return {
        "resourceType": "DocumentReference",
        "id": resource_id,
        "status": "current",
        "subject": ANA,
        "content": content,
        **more,
    }


def attachment(text: str | bytes, content_type: str = "text/plain; charset=utf-8") -> Resource:
    body = text.encode() if isinstance(text, str) else text
    return {"contentType": content_type, "data": base64.b64encode(body).decode()}


CHART: dict[str, list[Resource]] = {
    "Condition": [
        {
            "resourceType": "Condition",
            "id": "c1",
            "meta": {"versionId": "2"},
            "subject": ANA,
            "code": {"coding": [{"display": "Essential hypertension"}]},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "recordedDate": "2024-05-02",
        },
        {
            "resourceType": "Condition",
            "id": "c2",
            "subject": ANA,
            "code": {"text": "Pneumonia"},
            "clinicalStatus": {"coding": [{"code": "resolved"}]},
        },
        {
            "resourceType": "Condition",
            "id": "c3",
            "subject": ANA,
            "code": {"text": "Wrong chart"},
            "verificationStatus": {"coding": [{"code": "entered-in-error"}]},
        },
    ],
    "MedicationRequest": [
        {
            "resourceType": "MedicationRequest",
            "id": "17",
            "meta": {"versionId": "3"},
            "status": "active",
            "intent": "order",
            "subject": ANA,
            "encounter": {"reference": "Encounter/e1"},
            "authoredOn": "2026-03-03T09:30:00-06:00",
            "medicationCodeableConcept": {"text": "lisinopril 20 mg tablet"},
            "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}],
        }
    ],
    "AllergyIntolerance": [
        {
            "resourceType": "AllergyIntolerance",
            "id": "a1",
            "patient": ANA,
            "code": {"text": "Penicillin"},
            "criticality": "high",
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "reaction": [{"manifestation": [{"text": "hives"}], "severity": "moderate"}],
        }
    ],
    "Observation vital-signs": [
        observation(
            "v1",
            "Blood pressure",
            effectiveDateTime="2026-11-22T14:05:00-06:00",
            component=[
                {"code": loinc("8480-6"), "valueQuantity": {"value": 128, "code": "mm[Hg]"}},
                {"code": loinc("8462-4"), "valueQuantity": {"value": 76, "code": "mm[Hg]"}},
            ],
        ),
        observation("v2", "Heart rate", valueQuantity={"value": 72, "code": "/min"}),
        observation("v3", "Temperature", dataAbsentReason={"text": "refused"}),
    ],
    "Observation laboratory": [
        observation(
            "l1",
            "Hemoglobin A1c",
            valueQuantity={"value": 7.0, "unit": "%"},
            interpretation=[{"coding": [{"code": "H"}]}],
        ),
        observation("l2", "Troponin", valueQuantity={"value": 0.01, "comparator": "<", "unit": "ng/mL"}),
        observation("l3", "Urine culture", valueCodeableConcept={"text": "No growth"}),
        observation("l4", "Strep test", valueBoolean=False),
    ],
    "DocumentReference": [
        document(
            "d1",
            type={"coding": [{"system": "urn:kind", "code": "visit-transcript"}]},
            date="2026-11-22T20:30:00Z",
            description="Visit transcript",
            context={"encounter": [{"reference": "Encounter/e9"}]},
        )
    ],
    "Patient": [PATIENT],
    "Encounter": [VISIT],
    "Practitioner": [DOCTOR],
}


def charted(chart: dict[str, list[Resource]], special: dict[str, Reply] | None = None) -> Answer:
    """An EHR that holds this chart; `special` answers for a key such as "Observation laboratory"."""

    def answer(request: Request) -> Reply:
        url = urlsplit(request.path)
        resource_type, *rest = url.path.removeprefix("/fhir/R4/").split("/")
        category = parse_qs(url.query).get("category", [""])[0]
        key = f"{resource_type} {category}".strip()
        if special and key in special:
            return special[key]
        return fhir(chart[key][0]) if rest else fhir(bundle(*chart.get(key, [])))

    return answer


def read(transport: FHIRTransport, **more: Any) -> Chart:
    return read_chart(transport, "p1", "e9", "Practitioner/d7", **more)


def items(chart: Chart) -> dict[str, ChartItem]:
    return {item.reference: item for item in chart.items}


def test_the_whole_chart_is_read(serve: Serve, transport_to: To) -> None:
    chart = read(transport_to(serve(charted(CHART))))
    patient, visit, clinician = chart.patient, chart.visit, chart.clinician
    assert (patient.reference, patient.version, patient.family, patient.given) == ("Patient/p1", "4", "Rivera", "Ana M")
    assert (patient.sex, patient.birth_date, patient.mrn) == ("female", date(1962, 3, 14), "MRN-1")
    assert visit is not None
    assert clinician is not None
    assert (visit.reference, visit.status, visit.class_display) == ("Encounter/e9", "in-progress", "ambulatory")
    assert (visit.start, visit.end) == (datetime(2026, 11, 22, 20, tzinfo=UTC), None)
    assert (visit.reason, visit.subject, visit.organization) == ("Dizziness", "Patient/p1", "Organization/o1")
    assert (clinician.reference, clinician.name) == ("Practitioner/d7", "Dr. Kwame Osei")
    assert clinician.role == "Family medicine"
    assert chart.unread == ()


def test_items_read_as_a_clinician_would_say_them(serve: Serve, transport_to: To) -> None:
    chart = read(transport_to(serve(charted(CHART))))
    assert [(item.kind, item.text) for item in chart.items] == [
        ("condition", "Essential hypertension"),
        ("condition", "Pneumonia (resolved)"),
        ("medication", "lisinopril 20 mg tablet, once daily"),
        ("allergy", "Penicillin: hives (moderate), high criticality"),
        ("vital", "Blood pressure 128/76 mmHg"),
        ("vital", "Heart rate 72 per minute"),
        ("vital", "Temperature: no value"),
        ("lab", "Hemoglobin A1c 7.0 % (high)"),
        ("lab", "Troponin <0.01 ng/mL"),
        ("lab", "Urine culture No growth"),
        ("lab", "Strep test no"),
    ]


def test_items_carry_what_a_citation_needs(serve: Serve, transport_to: To) -> None:
    found = items(read(transport_to(serve(charted(CHART)))))
    order, pressure = found["MedicationRequest/17"], found["Observation/v1"]
    assert (order.version, order.name, order.status, order.encounter) == ("3", "lisinopril", "active", "Encounter/e1")
    assert order.recorded == datetime(2026, 3, 3, 15, 30, tzinfo=UTC)
    assert (pressure.value, pressure.recorded) == ("128/76 mmHg", datetime(2026, 11, 22, 20, 5, tzinfo=UTC))
    assert found["Condition/c1"].recorded == datetime(2024, 5, 2, tzinfo=UTC)
    assert "Condition/c3" not in found  # entered in error


def test_documents_come_once_with_their_text(serve: Serve, transport_to: To) -> None:
    server = serve(charted(CHART))
    (transcript,) = read(transport_to(server)).documents
    assert (transcript.reference, transcript.title) == ("DocumentReference/d1", "Visit transcript")
    assert transcript.type_codes == (("urn:kind", "visit-transcript"),)
    assert (transcript.encounter, transcript.text) == ("Encounter/e9", "Patient says she is dizzy.")
    assert transcript.date == datetime(2026, 11, 22, 20, 30, tzinfo=UTC)
    assert sum("DocumentReference?" in one.path for one in server.requests) == 2


@pytest.mark.parametrize(
    ("key", "reply", "unread"),
    [
        ("AllergyIntolerance", Reply(500), Unread("allergies", "unavailable")),
        ("AllergyIntolerance", Reply(403), Unread("allergies", "refused")),
        ("AllergyIntolerance", Reply(429), Unread("allergies", "throttled")),
        ("AllergyIntolerance", Reply(200, b"<html>"), Unread("allergies", "unavailable")),
        ("AllergyIntolerance", Reply(fault="reset"), Unread("allergies", "unavailable")),
        ("AllergyIntolerance", Reply(fault="hang"), Unread("allergies", "timeout")),
        ("Condition", fhir(bundle(outcome("too-costly", "fatal"))), Unread("conditions", "refused")),
        ("Observation laboratory", Reply(404), Unread("lab results", "refused")),
        ("DocumentReference", Reply(502), Unread("documents", "unavailable")),
        ("Encounter", Reply(404), Unread("visit", "missing")),
        ("Practitioner", Reply(403), Unread("clinician", "refused")),
    ],
)
def test_one_failure_is_listed_and_fails_nothing_else(
    serve: Serve, transport_to: To, key: str, reply: Reply, unread: Unread
) -> None:
    chart = read(transport_to(serve(charted(CHART, {key: reply}))))
    assert chart.unread == (unread,)
    assert "MedicationRequest/17" in items(chart)
    assert (chart.visit is None) == (key == "Encounter")
    assert (chart.clinician is None) == (key == "Practitioner")


def test_a_late_search_is_not_waited_for(serve: Serve, transport_to: To) -> None:
    hanging = {"Observation laboratory": Reply(fault="hang")}
    transport = transport_to(serve(charted(CHART, hanging)), read_timeout_seconds=3)
    started = monotonic()
    chart = read(transport, patience_seconds=0.6)
    assert monotonic() - started < 1.5
    assert chart.unread == (Unread("lab results", "timeout"),)
    assert chart.documents


@pytest.mark.parametrize(
    ("reply", "leaf"),
    [
        (Reply(401), errors.TokenRefused),
        (Reply(403), errors.NotAuthorized),
        (Reply(404), errors.NotFound),
        (Reply(500), errors.Unavailable),
        (fhir({**PATIENT, "id": "p2"}), errors.Unavailable),
    ],
)
def test_a_patient_who_cannot_be_read_stops_the_reading(
    serve: Serve, transport_to: To, reply: Reply, leaf: type[Exception]
) -> None:
    with pytest.raises(leaf):
        read(transport_to(serve(charted(CHART, {"Patient": reply}))))


def test_records_of_another_patient_are_left_out_and_reported(serve: Serve, transport_to: To) -> None:
    stranger = {**CHART["AllergyIntolerance"][0], "id": "a2", "patient": {"reference": "Patient/p2"}}
    nobodys = {**CHART["AllergyIntolerance"][0], "id": "a3", "patient": None}
    mixed = {**CHART, "AllergyIntolerance": [*CHART["AllergyIntolerance"], stranger, nobodys]}
    chart = read(transport_to(serve(charted(mixed))))
    assert [item.reference for item in chart.items if item.kind == "allergy"] == ["AllergyIntolerance/a1"]
    assert chart.unread == (Unread("allergies", "other-patient"),)


def test_a_resource_that_is_not_quite_fhir_is_read_as_far_as_it_goes(serve: Serve, transport_to: To) -> None:
    odd = {
        **CHART["MedicationRequest"][0],
        "priority": 3,
        "custom": "Ana Rivera",
        "dosageInstruction": "daily",
    }
    nameless = {"resourceType": "MedicationRequest", "id": "18", "subject": ANA}
    chart = read(transport_to(serve(charted({**CHART, "MedicationRequest": [odd, nameless]}))))
    assert items(chart)["MedicationRequest/17"].text == "lisinopril 20 mg tablet"
    assert set(chart.unread) == {
        Unread("MedicationRequest/17", "incomplete"),
        Unread("MedicationRequest/18", "unreadable"),
    }


@pytest.mark.parametrize(
    ("resource_type", "oddity", "unread"),
    [
        ("Condition", {"code": {"text": 5}}, "Condition/c1"),
        ("Condition", {"id": 5, "code": {"coding": ["x", 3]}}, "conditions"),
        ("MedicationRequest", {"dosageInstruction": [{"text": "a"}, {"text": 3}, 4]}, "MedicationRequest/17"),
        ("Encounter", {"reasonCode": "x", "class": ["AMB"], "period": {"start": "soon"}}, ""),
        ("Practitioner", {"name": [{"given": ["A", 1]}]}, "clinician"),
        ("DocumentReference", {"date": 3, "context": [1], "type": "x"}, ""),
        ("DocumentReference", {"content": [{"attachment": {"data": "é", "title": 3}}]}, ""),
    ],
)
def test_a_malformed_resource_costs_at_most_itself(
    serve: Serve, transport_to: To, resource_type: str, oddity: Resource, unread: str
) -> None:
    odd = {**CHART[resource_type][0], **oddity}
    chart = read(transport_to(serve(charted({**CHART, resource_type: [odd]}))))
    assert chart.patient.family == "Rivera"
    assert not unread or unread in [one.what for one in chart.unread]
    assert [item for item in chart.items if item.kind == "allergy"]


def test_a_malformed_patient_stops_the_reading(serve: Serve, transport_to: To) -> None:
    odd = {**PATIENT, "name": [{"family": "Rivera", "given": ["Ana", 1]}]}
    with pytest.raises(errors.Unavailable):
        read(transport_to(serve(charted({**CHART, "Patient": [odd]}))))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "not-text"),
        ([{"attachment": attachment(b"%PDF", "application/pdf")}], "not-text"),
        ([{"attachment": attachment(b"\x89PNG\r\n\x1a\n\x00\x01")}], "unreadable"),
        ([{"attachment": attachment(b"MZ\x00\x01binary")}], "unreadable"),
        ([{"attachment": attachment("x" * (2 * 1024 * 1024 + 1))}], "too-large"),
        ([{"attachment": {"contentType": "text/plain", "url": "Binary/gone"}}], "missing"),
        ([{"attachment": {"contentType": "text/plain", "url": "http://evil.example/x"}}], "refused"),
    ],
)
def test_a_document_without_readable_text_is_listed(
    serve: Serve, transport_to: To, content: list[Resource], why: str
) -> None:
    broken = {**CHART, "DocumentReference": [document("d2", content=content), *CHART["DocumentReference"]]}
    chart = read(transport_to(serve(charted(broken, {"Binary": Reply(404)}))))
    assert [one.reference for one in chart.documents] == ["DocumentReference/d1"]
    assert chart.unread == (Unread("DocumentReference/d2", why),)


@pytest.mark.parametrize("status", ["entered-in-error", "superseded"])
def test_documents_that_no_longer_count_are_left_out(serve: Serve, transport_to: To, status: str) -> None:
    chart = read(transport_to(serve(charted({**CHART, "DocumentReference": [document("d2", status=status)]}))))
    assert (chart.documents, chart.unread) == ((), ())


def test_a_transcript_of_200_kilobytes_is_read_whole(serve: Serve, transport_to: To) -> None:
    text = "[00:14] [doctor] hi, Ana. ¿cómo está?\n" * 5200
    long = document("d2", content=[{"attachment": attachment(text)}])
    chart = read(transport_to(serve(charted({**CHART, "DocumentReference": [long]}))))
    assert chart.documents[0].text == text


def test_an_endless_list_is_cut_and_said_to_be(serve: Serve, transport_to: To) -> None:
    many = [observation(f"l{n}", "Glucose", valueInteger=n) for n in range(400)]
    chart = read(transport_to(serve(charted({**CHART, "Observation laboratory": many}))))
    assert Unread("lab results", "truncated") in chart.unread


def test_a_chart_without_visit_or_clinician_is_read(serve: Serve, transport_to: To) -> None:
    server = serve(charted(CHART))
    chart = read_chart(transport_to(server), "p1", None, None)
    assert (chart.visit, chart.clinician, chart.unread) == (None, None, ())
    assert not [one for one in server.requests if "encounter=" in one.path]


def test_a_role_names_its_practitioner(serve: Serve, transport_to: To) -> None:
    role = {
        "resourceType": "PractitionerRole",
        "id": "r1",
        "practitioner": {"reference": "Practitioner/d7", "display": "Kwame Osei, MD"},
        "code": [{"text": "Attending"}],
    }
    server = serve(charted({**CHART, "PractitionerRole": [role]}))
    clinician = read_chart(transport_to(server), "p1", None, "PractitionerRole/r1").clinician
    assert clinician is not None
    assert (clinician.reference, clinician.name, clinician.role) == (
        "PractitionerRole/r1",
        "Kwame Osei, MD",
        "Attending",
    )


def test_a_year_alone_is_no_birth_date(serve: Serve, transport_to: To) -> None:
    chart = read(transport_to(serve(charted({**CHART, "Patient": [{**PATIENT, "birthDate": "1962"}]}))))
    assert chart.patient.birth_date is None


def test_nothing_of_the_chart_reaches_a_log_or_a_repr(
    serve: Serve, transport_to: To, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    odd = {**CHART["Condition"][0], "Essential hypertension": "Ana Rivera", "severity": "Rivera"}
    chart = read(transport_to(serve(charted({**CHART, "Condition": [odd]}))))
    said = repr(chart) + " ".join(record.getMessage() for record in caplog.records)
    assert Unread("Condition/c1", "incomplete") in chart.unread
    assert not [word for word in ("Rivera", "hypertension", "lisinopril", "dizzy", "MRN-1") if word in said]
