from dataclasses import replace

import pytest

from app.notes.workflow import workflow_for
from app.tenants.registrations import Tenant, Workflow
from tests.factories import NOON
from vendors.chart import Visit

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SERVICE = "http://harbor.example/service"
TYPE = "http://snomed.info/sct"


def workflow(name: str, *matches: dict) -> Workflow:
    return Workflow.model_validate({"id": name, "title": name, "matches": matches})


TENANT = Tenant.model_validate(
    {
        "id": "harbor",
        "organization": "Harbor",
        "vendor": "epic",
        "environment": "sandbox",
        "fhir_base": "http://ehr.localhost:1/fhir",
        "client_id": "c",
        "authentication": {"method": "private_key_jwt"},
        "frame_origins": ["http://ehr.localhost:1"],
        "workflows": [
            workflow("primary-care"),
            workflow("cardiac-emergency", {"encounter_class": f"{ACT}|EMER", "service_type": f"{SERVICE}|cardiology"}),
            workflow("emergency", {"encounter_class": f"{ACT}|EMER"}),
            workflow("telehealth", {"encounter_class": f"{ACT}|VR"}, {"type": f"{TYPE}|448337001"}),
        ],
    }
)
VISIT = Visit("Encounter/9", "1", "in-progress", NOON, None, "", "", "Patient/1", None)


@pytest.mark.parametrize(
    ("visit", "expected"),
    [
        (None, "primary-care"),
        ({}, "primary-care"),
        ({"class_coding": f"{ACT}|AMB"}, "primary-care"),
        ({"class_coding": f"{ACT}|EMER"}, "emergency"),
        ({"class_coding": f"{ACT}|EMER", "service_types": (f"{SERVICE}|cardiology",)}, "cardiac-emergency"),
        ({"service_types": (f"{SERVICE}|cardiology",)}, "primary-care"),
        ({"class_coding": f"{ACT}|VR"}, "telehealth"),
        ({"class_coding": f"{ACT}|AMB", "types": (f"{TYPE}|1", f"{TYPE}|448337001")}, "telehealth"),
        ({"class_coding": f"{ACT}|EMER", "types": (f"{TYPE}|448337001",)}, "emergency"),
        ({"class_coding": "|EMER"}, "primary-care"),
    ],
    ids=str,
)
def test_the_first_workflow_that_fits_the_visit_is_its_own(visit: dict | None, expected: str) -> None:
    assert workflow_for(TENANT, None if visit is None else replace(VISIT, **visit)).id == expected


def test_a_workflow_that_was_taken_out_of_a_file_goes_on_by_the_first_ones_rules() -> None:
    gone = TENANT.workflow_named("gone")
    assert (gone.id, gone.ruleset, gone.queue) == ("gone", "standard-2", "countersign")
