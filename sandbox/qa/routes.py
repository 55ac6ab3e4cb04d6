"""The QA API: what happened here, and switches to make things go wrong. A real EHR has none of it."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import ValidationError

from sandbox.authorization.clients import Client
from sandbox.authorization.registration import Registration
from sandbox.authorization.tokens import IssuedToken, all_tokens
from sandbox.ehr import EHR
from sandbox.people.display import patient_name
from sandbox.qa.chart_routes import Chosen, add_callbacks, add_chart
from sandbox.qa.faults import Fault
from sandbox.qa.knobs import KNOBS, NoSuchKnob, usable


def qa_routes(ehrs: Mapping[str, EHR]) -> Blueprint:
    """`/qa/<ehr>/...` for every EHR."""
    routes = Blueprint("qa", __name__, url_prefix="/qa/<name>")

    def chosen(name: str) -> EHR:
        ehr = ehrs[name] if name in ehrs else abort(404)
        ehr.later.file_what_is_due(ehr.clock.now())
        return ehr

    _add_records(routes, chosen)
    _add_resources(routes, chosen)
    _add_clinicians(routes, chosen)
    _add_faults(routes, chosen)
    _add_clients(routes, chosen)
    add_chart(routes, chosen)
    add_callbacks(routes, chosen)
    return routes


def _add_records(routes: Blueprint, chosen: Chosen) -> None:
    @routes.get("/writes")
    def writes(name: str) -> Response:
        rows = chosen(name).database.rows("SELECT * FROM writes ORDER BY number")
        return jsonify([dict(row) for row in rows])

    @routes.get("/tokens")
    def tokens(name: str) -> Response:
        return jsonify([_described(token) for token in all_tokens(chosen(name).database)])

    @routes.get("/requests")
    def requests(name: str) -> Response:
        return jsonify(chosen(name).requests.all())


def _add_resources(routes: Blueprint, chosen: Chosen) -> None:
    @routes.get("/patients")
    def patients(name: str) -> Response:
        found = chosen(name).store.current("Patient")
        return jsonify([{"id": patient["id"], "name": patient_name(patient)} for patient in found])

    @routes.get("/resources/<resource_type>")
    def resources(name: str, resource_type: str) -> Response:
        return jsonify(chosen(name).store.current(resource_type))

    @routes.get("/versions/<resource_type>/<resource_id>")
    def versions(name: str, resource_type: str, resource_id: str) -> Response:
        """Every version, newest first, past scopes and deletion."""
        found = chosen(name).store.history(resource_type, resource_id)
        return jsonify([{"method": one.method, "version": one.version, "resource": one.resource} for one in found])

    @routes.put("/resources/<resource_type>/<resource_id>")
    def change_in_chart(name: str, resource_type: str, resource_id: str) -> Response:
        """What a person at the EHR does: a new version that no app asked for."""
        store = chosen(name).store
        if store.read(resource_type, resource_id) is None:
            abort(404)
        return jsonify(store.update({**request.get_json(), "resourceType": resource_type, "id": resource_id}))


def _add_clinicians(routes: Blueprint, chosen: Chosen) -> None:
    @routes.post("/practitioners")
    def hire(name: str) -> tuple[Response, int]:
        """Somebody more who can open charts: `{"name": "Dr. Ada Lovelace"}`."""
        words = str(request.get_json()["name"])
        title, *given, family = words.split()
        called = {"text": words, "prefix": [title], "given": given, "family": family}
        return jsonify(
            chosen(name).store.create({"resourceType": "Practitioner", "active": True, "name": [called]})
        ), 201


def _add_faults(routes: Blueprint, chosen: Chosen) -> None:
    @routes.get("/faults")
    def armed(name: str) -> Response:
        faults = [fault.model_dump() for fault in chosen(name).faults.armed()]
        words = {name: knob.words for name, knob in KNOBS.items()}
        belongs = {name: knob.on for name, knob in KNOBS.items()}
        return jsonify({"armed": faults, "knobs": words, "belongs": belongs, "struck": chosen(name).faults.struck()})

    @routes.post("/faults")
    def arm(name: str) -> tuple[Response, int]:
        try:
            fault = usable(Fault.model_validate(request.get_json()))
        except ValidationError as error:
            return jsonify(error=error.errors(include_url=False, include_context=False)), 422
        except NoSuchKnob as error:
            return jsonify(error=str(error), knobs=sorted(KNOBS)), 422
        chosen(name).faults.arm(fault)
        return jsonify(fault.model_dump()), 201

    @routes.delete("/faults")
    def clear(name: str) -> tuple[str, int]:
        chosen(name).faults.clear(request.args.get("fault"))
        return "", 204


def _add_clients(routes: Blueprint, chosen: Chosen) -> None:
    @routes.get("/clients")
    def clients(name: str) -> Response:
        return jsonify([_shown(client) for client in chosen(name).clients])

    @routes.put("/clients/<client_id>")
    def register(name: str, client_id: str) -> tuple[Response, int]:
        """Register an app, or change what is known of one: the whole registration, not a part of it."""
        try:
            registration = Registration.model_validate(_sent_registration(chosen(name), client_id))
        except ValidationError as error:
            return jsonify(error=error.errors(include_url=False, include_context=False)), 422
        known = chosen(name).clients.get(client_id) is not None
        return jsonify(_shown(chosen(name).clients.register(registration))), 200 if known else 201

    @routes.delete("/clients/<client_id>")
    def forget(name: str, client_id: str) -> tuple[str, int]:
        """Take back what was registered here; an entry of the file stands again."""
        return ("", 204) if chosen(name).clients.forget(client_id) else abort(404)


def _sent_registration(ehr: EHR, client_id: str) -> dict[str, Any]:
    sent = {**request.get_json(), "client_id": client_id}
    known, auth = ehr.clients.get(client_id), sent.get("auth")
    if known and isinstance(auth, dict) and auth.get("method") == known.method and not auth.get("secret"):
        # Secrets are never shown, so whoever changes something else cannot say it again.
        sent["auth"] = {**auth, "secret": known.registration.auth.secret}
    return sent


def _shown(client: Client) -> dict[str, Any]:
    return client.registration.model_dump(mode="json", exclude={"auth": {"secret"}})


def _described(token: IssuedToken) -> dict[str, Any]:
    return {
        "token_sha256": token.token_sha256,
        "client_id": token.client_id,
        "subject": token.launch.practitioner,
        "fhir_user": f"Practitioner/{token.launch.practitioner}",
        "patient": token.launch.patient,
        "encounter": token.launch.encounter,
        "scope": token.scope,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "revoked": token.revoked,
        "has_refresh_token": token.refresh_sha256 is not None,
    }
