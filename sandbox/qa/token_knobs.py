"""Knobs of the token endpoint: errors, and what a token response says about the launch.

RFC 6749 5.2 for the errors; SMART scopes-and-launch-context for the members.
"""

from collections.abc import Callable
from typing import Any

from flask import Response

from sandbox.ehr import current_ehr
from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, edited, oauth_error, outcome, setting

ON = ("token",)
CODE = ("code", "token", "refresh")
REFRESH = ("refresh", "token", "code")
Body = dict[str, Any]


def _outcome_401(_proceed: Proceed, fault: Fault) -> Response:
    return outcome(401, fault)


def _redirected(_proceed: Proceed, fault: Fault) -> Response:
    # 307 asks the client to send code and secret again, to wherever this points.
    target = fault.options.get("location", f"{current_ehr().oauth_base}/token")
    return Response("", 307, headers={"Location": str(target)})


def _without(*names: str) -> Answer:
    return edited(lambda body, _fault: [body.pop(name, None) for name in names])


def _with(**members: Any) -> Answer:
    return edited(lambda body, fault: body.update(members | fault.options))


def _each(change: Callable[[Body], Any]) -> Answer:
    return edited(lambda body, _fault: change(body))


def _other_patient(body: Body) -> None:
    others = (patient["id"] for patient in current_ehr().store.current("Patient"))
    body["patient"] = next(other for other in others if other != body.get("patient"))


def _context_objects(body: Body) -> list[dict[str, str]]:
    return [
        {"reference": f"Encounter/{body.get('encounter', 'none')}", "role": "https://example.org/role/unheard-of"},
        {"reference": "DiagnosticReport/none", "type": "DiagnosticReport"},
        {"canonical": "https://example.org/Questionnaire/none"},
    ]


TOKEN_KNOBS: dict[str, Knob] = {
    "token_invalid_client": Knob(
        oauth_error(401, "invalid_client", "The client secret is not valid."), "401: wrong client secret", ON
    ),
    "token_invalid_grant": Knob(
        oauth_error(400, "invalid_grant", "The code or token is not valid."), "400: invalid code or token", ON
    ),
    "token_expired_refresh": Knob(
        oauth_error(400, "invalid_grant", "The refresh token has expired."),
        "400: the refresh token has expired",
        REFRESH,
    ),
    "token_expired_registration": Knob(
        oauth_error(401, "invalid_client", "The registration of this client has expired."),
        "401: the app's registration has expired",
        ON,
    ),
    "token_invalid_jti": Knob(
        oauth_error(401, "invalid_client", "The jti of the assertion was used before."), "401: invalid jti", ON
    ),
    "token_invalid_scope": Knob(oauth_error(400, "invalid_scope", "The scope is not valid."), "400: invalid scope", ON),
    "token_unauthorized_client": Knob(
        oauth_error(400, "unauthorized_client", "This client may not use this grant."), "400: unauthorized client", ON
    ),
    "token_outcome_401": Knob(_outcome_401, "401 with an OperationOutcome", ON),
    "token_redirect_307": Knob(_redirected, "307 to another address (options: location)", ON),
    "token_unusable": Knob(
        edited(lambda body, _fault: body.update(access_token="not-a-token-of-this-ehr")),
        "Hands out an access token that no request accepts",
        ON,
    ),
    "token_born_expired": Knob(
        setting("token_is_dead", lambda _fault: True),
        "Hands out an access token that has expired already, and says otherwise",
        ON,
        setting=True,
    ),
    "token_short_lived": Knob(
        setting("token_lifetime", lambda fault: int(fault.seconds)),
        "Hands out access tokens that live as many seconds as you say",
        ON,
        setting=True,
    ),
    "refresh_rotates": Knob(
        setting("refresh_rotates", lambda _fault: True), "A refresh replaces the refresh token", REFRESH, setting=True
    ),
    "refresh_stays": Knob(
        setting("refresh_rotates", lambda _fault: False), "A refresh leaves the refresh token", REFRESH, setting=True
    ),
    "token_without_patient": Knob(_without("patient"), "Token response without patient", CODE),
    "token_without_encounter": Knob(_without("encounter"), "Token response without encounter", CODE),
    "token_without_id_token": Knob(_without("id_token"), "Token response without id_token", CODE),
    "token_without_scope": Knob(_without("scope"), "Token response without scope", CODE),
    "token_without_expires_in": Knob(_without("expires_in"), "Token response without expires_in", CODE),
    "token_without_token_type": Knob(_without("token_type"), "Token response without token_type", CODE),
    "token_without_access_token": Knob(_without("access_token"), "Token response without access token", CODE),
    "token_without_refresh_token": Knob(_without("refresh_token"), "Token response without refresh token", CODE),
    "token_expires_in_text": Knob(
        _each(lambda body: body.update(expires_in=str(body["expires_in"]))), "expires_in as a string", CODE
    ),
    "token_type_lower_case": Knob(_with(token_type="bearer"), "token_type bearer, in small letters", CODE),
    "token_type_mac": Knob(_with(token_type="mac"), "token_type that nobody asked for", CODE),
    "token_other_patient": Knob(_each(_other_patient), "Another patient, at each refresh", REFRESH),
    "token_tenant": Knob(_with(tenant="another-practice"), "A tenant member (options: tenant)", CODE),
    "token_banner_needed": Knob(_with(need_patient_banner=True), "need_patient_banner true", CODE),
    "token_banner_not_needed": Knob(_with(need_patient_banner=False), "need_patient_banner false", CODE),
    "token_junk_intent": Knob(
        _with(intent="\u202edrop-table <script>alert(1)</script> " + "x" * 500), "An intent that is junk", CODE
    ),
    "token_context_texts": Knob(
        _each(lambda body: body.update(fhirContext=[f"Encounter/{body.get('encounter', 'none')}"])),
        "fhirContext in the old form: texts",
        CODE,
    ),
    "token_context_objects": Knob(
        _each(lambda body: body.update(fhirContext=_context_objects(body))),
        "fhirContext as objects, with roles nobody knows",
        CODE,
    ),
    "token_extras": Knob(
        _with(
            **{
                "authorization_details": [{"type": "smart_on_fhir", "locations": ["https://elsewhere.example/fhir"]}],
                "smart_style_url": "https://elsewhere.example/style.json",
                "__vendor.extra": {"nested": [1, None]},
                "https://example.org/extension": "value",
            }
        ),
        "Experimental members and vendor extras",
        CODE,
    ),
    "token_changed": Knob(
        edited(lambda body, fault: body.update(fault.options)), "Token response with the keys in options replaced", CODE
    ),
}
