"""The page between an authorize request and its code: who signs in, whose chart, may the app."""

from flask import Response, make_response, render_template, request

from sandbox.authorization.launches import Opened
from sandbox.authorization.sign_in import DECISION, FIELDS, PATIENT, USER
from sandbox.ehr import EHR
from sandbox.people.display import clinician_names, patient_name

# Where the form goes on to is the app's address, so form-action is left open.
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'"


def sign_in_page(ehr: EHR, opened: Opened) -> Response:
    """What is still to be said before the app gets its code; it sends the app's request on with the answers."""
    carried = [(name, value) for name, value in request.values.items(multi=True) if name not in FIELDS]
    wanted = opened.sign_in.patients
    patients = {p["id"]: patient_name(p) for p in ehr.store.current("Patient") if p["id"] in wanted}
    body = render_template(
        "sign_in.html",
        ehr=ehr,
        look=ehr.personality.chart,
        carried=carried,
        fields={"user": USER, "patient": PATIENT, "decision": DECISION},
        sign_in=opened.sign_in,
        clinicians=clinician_names(ehr.store),
        clinician=opened.launch.practitioner,
        patients=patients,
        app=request.values.get("client_id", ""),
        scopes=request.values.get("scope", "").split(),
    )
    response = make_response(body)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
