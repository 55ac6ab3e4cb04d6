from typing import Any

import pytest
from fhirclient.models.medicationrequest import MedicationRequest

from vendors.chart_items import medication_item
from vendors.dosage import ingredient
from vendors.fhirclient_models import understood

DAILY = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
TWENTY_MG = [{"doseQuantity": {"value": 20, "unit": "mg"}}]
ONE_TABLET = [{"doseQuantity": {"value": 1, "unit": "tablet"}}]


def words(medication: str, *dosages: dict[str, Any], **more: Any) -> str:
    order = {
        "resourceType": "MedicationRequest",
        "id": "17",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": medication},
        "dosageInstruction": list(dosages),
        **more,
    }
    model, complete = understood(MedicationRequest, order)
    assert complete
    return medication_item(model, str).text


@pytest.mark.parametrize(
    ("medication", "dosage", "expected"),
    [
        ("lisinopril", {"doseAndRate": TWENTY_MG, "timing": DAILY}, "lisinopril 20 mg, once daily"),
        ("lisinopril 20 mg tablet", {"timing": DAILY}, "lisinopril 20 mg tablet, once daily"),
        (
            "lisinopril 20 MG Oral Tablet",
            {"doseAndRate": TWENTY_MG, "timing": DAILY},
            "lisinopril 20 MG Oral Tablet, once daily",
        ),
        (
            "lisinopril 20 mg tablet",
            {"doseAndRate": ONE_TABLET, "route": {"text": "by mouth"}, "timing": DAILY},
            "lisinopril 20 mg tablet, 1 tablet, by mouth, once daily",
        ),
        (
            "lisinopril 20 mg tablet",
            {"text": "Take 1 tablet by mouth once daily.", "timing": DAILY},
            "lisinopril 20 mg tablet, Take 1 tablet by mouth once daily",
        ),
        ("lisinopril", {"text": "Lisinopril 20 mg daily"}, "Lisinopril 20 mg daily"),
        ("metformin 500 mg", {"timing": {"code": {"text": "BID"}}}, "metformin 500 mg, twice daily"),
        (
            "metformin 500 mg",
            {"timing": {"code": {"coding": [{"code": "TID"}]}}},
            "metformin 500 mg, 3 times daily",
        ),
        (
            "amoxicillin",
            {"timing": {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}}},
            "amoxicillin, every 8 hours",
        ),
        (
            "methotrexate 15 mg",
            {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon"]}}},
            "methotrexate 15 mg, once weekly on Mon",
        ),
        (
            "atorvastatin 40 mg",
            {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["HS"]}}},
            "atorvastatin 40 mg, once daily at bedtime",
        ),
        (
            "ibuprofen 400 mg",
            {"asNeededCodeableConcept": {"text": "pain"}, "timing": {"code": {"text": "Q6H"}}},
            "ibuprofen 400 mg, every 6 hours as needed for pain",
        ),
        ("albuterol inhaler", {"asNeededBoolean": True}, "albuterol inhaler, as needed"),
        (
            "acetaminophen",
            {
                "doseAndRate": [
                    {"doseRange": {"low": {"value": 325, "unit": "mg"}, "high": {"value": 650, "unit": "mg"}}}
                ]
            },
            "acetaminophen 325 mg to 650 mg",
        ),
        ("aspirin 81 mg", {}, "aspirin 81 mg"),
    ],
)
def test_an_order_reads_as_a_clinician_would_say_it(medication: str, dosage: dict[str, Any], expected: str) -> None:
    assert words(medication, dosage) == expected


def test_several_dosages_are_all_said() -> None:
    first, second = {"text": "40 mg for 5 days"}, {"text": "then 20 mg"}
    assert words("prednisone", first, second) == "prednisone, 40 mg for 5 days; then 20 mg"


def test_an_order_that_is_not_active_says_so() -> None:
    assert words("aspirin 81 mg", status="stopped") == "aspirin 81 mg (stopped)"


def test_a_contained_or_displayed_medication_gives_the_name() -> None:
    contained = [{"resourceType": "Medication", "id": "m", "code": {"text": "warfarin 5 mg"}}]
    order = {"medicationCodeableConcept": None, "medicationReference": {"reference": "#m"}, "contained": contained}
    assert words("", **order) == "warfarin 5 mg"
    shown = {"medicationCodeableConcept": None, "medicationReference": {"display": "warfarin 5 mg"}}
    assert words("", **shown) == "warfarin 5 mg"


@pytest.mark.parametrize(
    ("display", "name"),
    [
        ("lisinopril", "lisinopril"),
        ("lisinopril 20 MG Oral Tablet", "lisinopril"),
        ("insulin glargine 100 units/mL", "insulin glargine"),
        ("vitamin B12 1000 mcg", "vitamin B12"),
        ("24 HR metformin 500 MG", "24 HR metformin 500 MG"),
    ],
)
def test_the_name_is_the_drug_without_its_strength(display: str, name: str) -> None:
    assert ingredient(display) == name
