"""Who signs in for which chart: settled by the launch, or chosen on the sign-in page."""

from dataclasses import dataclass, replace
from typing import Any

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError
from flask import request

from sandbox.authorization.launches import AUTOMATIC, NONE, Launch, Opened, SignIn, find_launch
from sandbox.ehr import EHR

# Names of the page's own fields; everything else that it sends is the app's request, carried on.
USER, PATIENT, DECISION = "sign-in-user", "sign-in-patient", "sign-in-decision"
FIELDS = frozenset({USER, PATIENT, DECISION})


@dataclass
class SignInNeeded(Exception):
    """The launch cannot go on before a person answered the page."""

    opened: Opened


def waiting_launch(ehr: EHR, parameters: dict[str, Any]) -> Opened:
    """The launch that an authorize request belongs to. Raises InvalidRequestError."""
    token, client_id = parameters.get("launch"), parameters.get("client_id", "")
    asked = set((parameters.get("scope") or "").split())
    found = find_launch(ehr.database, token, client_id)
    if token is not None or "launch" in asked or "launch-standalone" not in ehr.personality.authorization.capabilities:
        if token is None or found is None:
            raise InvalidRequestError("Missing, unknown, used or expired 'launch'.")
        return found
    return _standalone(ehr, found, asked)


def signed_in(ehr: EHR, opened: Opened) -> Launch:
    """The launch with what the person chose. Raises SignInNeeded until the page was answered, AccessDeniedError."""
    if not opened.sign_in.asks:
        return opened.launch
    decision = request.form.get(DECISION)
    if decision is None:
        raise SignInNeeded(opened)
    if decision != "approve":
        raise AccessDeniedError("The person did not approve.")
    launch = opened.launch
    if opened.sign_in.login:
        launch = replace(launch, practitioner=_one_of(USER, [p["id"] for p in ehr.store.current("Practitioner")]))
    if opened.sign_in.patients:
        patient = _one_of(PATIENT, opened.sign_in.patients)
        launch = replace(launch, patient=patient, encounter=visit_of(ehr, patient, opened.sign_in.encounter))
    return launch


def visit_of(ehr: EHR, patient: str, wish: str) -> str | None:
    """The visit that a launch into this chart is in: the open one, none, or the one that was named."""
    if wish == NONE:
        return None
    visits = ehr.store.current("Encounter", patient)
    if wish != AUTOMATIC:
        return next((visit["id"] for visit in visits if visit["id"] == wish), None)
    started = sorted(visits, key=lambda visit: str(visit.get("period", {}).get("start", "")), reverse=True)
    return next((visit["id"] for visit in started if visit["status"] == "in-progress"), None)


def _standalone(ehr: EHR, expected: Opened | None, asked: set[str]) -> Opened:
    # https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-standalone-launch
    wants_patient, wants_visit = "launch/patient" in asked, "launch/encounter" in asked
    if expected is None:
        somebody = ehr.store.current("Practitioner")[0]["id"]
        # Nothing was arranged beforehand: a person signs in, and chooses the chart if the app wants one.
        everybody = tuple(patient["id"] for patient in ehr.store.current("Patient"))
        expected = Opened(Launch(somebody, None, None), SignIn(login=True, patients=everybody))
    launch, sign_in = expected.launch, expected.sign_in
    if not wants_visit:
        launch, sign_in = replace(launch, encounter=None), replace(sign_in, encounter=NONE)
    if not wants_patient:
        launch, sign_in = replace(launch, patient=None, encounter=None), replace(sign_in, patients=())
    return replace(expected, launch=launch, sign_in=sign_in)


def _one_of(field: str, possible: list[str] | tuple[str, ...]) -> str:
    chosen = request.form.get(field, "")
    if chosen not in possible:
        raise InvalidRequestError(f"The sign-in page was sent without a choice of {field.removeprefix('sign-in-')}.")
    return chosen
