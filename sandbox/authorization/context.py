"""What a token response says about the launch.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from typing import Any

from sandbox.authorization.launches import Launch
from sandbox.ehr import EHR


def launch_context(ehr: EHR, launch: Launch) -> dict[str, Any]:
    """Patient, encounter (only while a visit is open), banner wish, and the vendor's extras."""
    rules = ehr.personality.authorization
    context: dict[str, Any] = {}
    if launch.patient:
        context = {"patient": launch.patient, "need_patient_banner": rules.need_patient_banner}
    if launch.encounter:
        context["encounter"] = launch.encounter
    return {**context, **rules.token_extras}
