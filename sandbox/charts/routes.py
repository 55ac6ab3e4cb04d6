"""The pages a clinician sees in the EHR: the list of charts, a chart, and the app inside it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, render_template, request

from sandbox.authorization.launches import Launch, Opened, issue_launch
from sandbox.charts.guard import guarded
from sandbox.charts.view import VisitLine, facts, notes, person, visits
from sandbox.ehr import EHR
from sandbox.people.display import clinician_names


def index_routes(ehrs: Mapping[str, EHR]) -> Blueprint:
    """`/`: every EHR with its patients; `/healthz`."""
    routes = Blueprint("index", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(ok=True)

    @routes.get("/")
    def index() -> str:
        # A chart without any registered app has nothing to launch; it would only lead visitors astray.
        shown = {name: ehr for name, ehr in ehrs.items() if ehr.clients}
        people = {name: [person(p) for p in ehr.store.current("Patient")] for name, ehr in shown.items()}
        return render_template("index.html", ehrs=shown, people=people)

    routes.after_app_request(guarded)
    return routes


def chart_routes(ehr: EHR) -> Blueprint:
    """A patient's chart, its notes (re-read by the page), and the launch of an app."""
    routes = Blueprint("charts", __name__, url_prefix="/charts/<patient_id>")

    def patient(patient_id: str) -> dict[str, Any]:
        found = ehr.store.read("Patient", patient_id)
        return found if found is not None else abort(404)

    @routes.get("")
    def chart(patient_id: str) -> str:
        return _chart_page(ehr, patient(patient_id))

    @routes.get("/notes")
    def chart_notes(patient_id: str) -> str:
        patient(patient_id)
        return render_template("notes.html", notes=notes(ehr, patient_id))

    @routes.post("/launches")
    def launch(patient_id: str) -> tuple[Response, int]:
        visit = _chosen_visit(visits(ehr, patient_id))
        named = request.args.get("client")
        client = ehr.clients.get(named) if named else next(iter(ehr.clients), None)
        if client is None:
            return jsonify(error="No app is registered at this EHR."), 409
        launch = Launch(_chosen_clinician(ehr), patient(patient_id)["id"], visit.id if visit else None)
        query = urlencode({"iss": ehr.fhir_base, "launch": issue_launch(ehr.database, Opened(launch))})
        return jsonify(url=f"{client.launch_url}?{query}"), 201

    routes.after_request(guarded)
    return routes


def _chart_page(ehr: EHR, patient: dict[str, Any]) -> str:
    seen = visits(ehr, patient["id"])
    return render_template(
        "chart.html",
        ehr=ehr,
        look=ehr.personality.chart,
        person=person(patient),
        visits=seen,
        visit=_chosen_visit(seen),
        clinicians=clinician_names(ehr.store),
        clinician=_chosen_clinician(ehr),
        facts=facts(ehr, patient["id"]),
        notes=notes(ehr, patient["id"]),
    )


def _chosen_visit(seen: list[VisitLine]) -> VisitLine | None:
    """The visit that the address names, else the one that is open; an app opened outside a visit has none."""
    named = request.args.get("encounter")
    if named is not None:
        return next((visit for visit in seen if visit.id == named), None) or abort(404)
    return next((visit for visit in seen if visit.open), None)


def _chosen_clinician(ehr: EHR) -> str:
    known = clinician_names(ehr.store)
    chosen = request.args.get("user", next(iter(known)))
    return chosen if chosen in known else abort(404)
