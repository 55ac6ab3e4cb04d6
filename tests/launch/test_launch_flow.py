"""The whole launch through the blueprint, over real HTTP to a small EHR."""

from launch_harness import Harness
from small_ehr import SmallEHR


def test_a_launch_completes_with_patient_encounter_user_and_scopes(harness: Harness, ehr: SmallEHR) -> None:
    """A10, A25, A33, A44: the whole flow."""
    answer = harness.complete(harness.browser(), ehr)

    assert (answer.status_code, answer.location) == (303, "/charts/the-launch/")
    [completed] = harness.completed
    assert (completed.tenant_id, completed.issuer) == ("clinic", ehr.base)
    assert (completed.context.patient, completed.context.encounter) == ("pat-1", "enc-1")
    assert (completed.identity.issuer, completed.identity.subject) == (ehr.issuer, "user-7")
    assert completed.identity.fhir_user == "Practitioner/7"
    assert completed.grant.scopes.allows("DocumentReference", "c")
    assert not completed.grant.scopes.allows("Observation", "r")
