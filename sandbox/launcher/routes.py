"""The launcher: one page per EHR where a QA person sets a launch up, and the EHR's own faults beside it."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from pydantic import ValidationError

from sandbox.authorization.launches import AUTOMATIC
from sandbox.charts.guard import guarded
from sandbox.ehr import EHR
from sandbox.launcher.choice import Choice, UnusableChoice
from sandbox.launcher.opening import open_app
from sandbox.people.display import clinician_names, patient_name
from sandbox.qa.answer_knobs import ANSWER_KNOBS
from sandbox.qa.discovery_knobs import DISCOVERY_KNOBS
from sandbox.qa.edits import WORDS as EDIT_WORDS
from sandbox.qa.edits import Edit, UnusableEdit, carry_out
from sandbox.qa.faults import RANDOM, Fault
from sandbox.qa.id_token_knobs import ID_TOKEN_KNOBS
from sandbox.qa.interactions import GROUPS, SINGLE
from sandbox.qa.knob import Knob
from sandbox.qa.knobs import KNOBS, NoSuchKnob, usable
from sandbox.qa.sign_in_knobs import SIGN_IN_KNOBS
from sandbox.qa.token_knobs import TOKEN_KNOBS

EDITS_SHOWN = 10
# The knobs of a single launch, as the page groups them.
OF_A_LAUNCH = {
    "Sign-in and scopes": SIGN_IN_KNOBS,
    "Token response": TOKEN_KNOBS,
    "Identity": ID_TOKEN_KNOBS,
    "Clock and keys": {name: knob for name, knob in DISCOVERY_KNOBS.items() if knob.can_be_one_launchs},
}
# Where a knob that fits anywhere can be put from the page.
PLACES = {
    "authorize": "Sign-in",
    "token": "Token",
    "refresh": "Refresh",
    "read": "Read",
    "search": "Search",
    "create": "Create",
}


def launcher_routes(ehr: EHR) -> Blueprint:
    """`/launcher` of one EHR: the page, the launch itself, and the EHR's faults."""
    routes = Blueprint("launcher", __name__, url_prefix="/launcher")

    @routes.get("")
    def page() -> tuple[str, int]:
        try:
            choice, problem = Choice.from_address(ehr, request.args), None
        except UnusableChoice as error:
            choice, problem = None, str(error)
        return _page(ehr, choice, problem), 200 if problem is None else 422

    @routes.get("/open")
    def opened() -> Response | tuple[str, int]:
        try:
            choice = Choice.from_address(ehr, request.args)
        except UnusableChoice as error:
            return _page(ehr, None, str(error)), 422
        app = open_app(ehr, choice)
        if choice.window == "new":
            return make_response(redirect(app.url, 303))
        return make_response(render_template("framed.html", look=ehr.personality.chart, url=app.url, ehr=ehr))

    @routes.post("")
    def open_for_a_program() -> tuple[Response, int]:
        try:
            app = open_app(ehr, Choice.from_address(ehr, request.args))
        except UnusableChoice as error:
            return jsonify(error=str(error)), 422
        return jsonify({"url": app.url, "iss": app.iss, **({"launch": app.launch} if app.launch else {})}), 201

    _add_forms(routes, ehr)
    routes.after_request(guarded)
    return routes


def _add_forms(routes: Blueprint, ehr: EHR) -> None:
    @routes.post("/faults")
    def switch() -> Response | tuple[str, int]:
        try:
            _switch(ehr)
        except (NoSuchKnob, ValidationError) as error:
            return _page(ehr, None, f"The fault was not switched on: {error}"), 422
        return make_response(redirect(f"{ehr.root}/launcher?{request.form.get('kept', '')}#faults", 303))

    @routes.post("/edits")
    def edit() -> Response | tuple[str, int]:
        """What the page's form says that a person does in the chart."""
        said = {name: value for name, value in request.form.items() if value and name != "kept"}
        try:
            carry_out(ehr, Edit.model_validate(said))
        except (UnusableEdit, ValidationError) as error:
            return _page(ehr, None, f"Nothing was changed: {error}"), 422
        return make_response(redirect(f"{ehr.root}/launcher?{request.form.get('kept', '')}#edits", 303))


def _switch(ehr: EHR) -> None:
    form = request.form
    if "off" in form:
        ehr.faults.clear(form["off"] or None)
        return
    times = form.get("times") or None
    fault = Fault.model_validate(
        {
            "fault": form.get("fault", ""),
            "interaction": form.get("interaction", ""),
            "seconds": form.get("seconds") or 30,
            "times": None if times == "always" else times or 1,
            "resource_type": form.get("resource_type") or None,
            "from_request": form.get("from_request") or 1,
            "probability": form.get("probability") or None,
            "seed": form.get("seed") or 0,
            "options": {"knobs": form.getlist("drawn")} if form.getlist("drawn") else {},
        }
    )
    ehr.faults.arm(usable(fault))


def _page(ehr: EHR, choice: Choice | None, problem: str | None) -> str:
    query = urlencode(list(request.args.items(multi=True)))
    return render_template(
        "launcher.html",
        ehr=ehr,
        look=ehr.personality.chart,
        choice=choice,
        problem=problem,
        clients=list(ehr.clients),
        clinicians=clinician_names(ehr.store),
        patients={patient["id"]: patient_name(patient) for patient in ehr.store.current("Patient")},
        visits=_visits(ehr),
        groups=OF_A_LAUNCH,
        places=PLACES,
        anywhere=_anywhere(ANSWER_KNOBS),
        knobs=KNOBS,
        random=RANDOM,
        interactions=[*SINGLE, *GROUPS],
        armed=ehr.faults.armed(),
        struck=ehr.faults.struck(),
        resource_types=list(ehr.personality.fhir.resources),
        edits=EDIT_WORDS,
        edited=list(reversed(ehr.database.rows("SELECT * FROM chart_changes ORDER BY number")))[:EDITS_SHOWN],
        automatic=AUTOMATIC,
        json_faults=[text for text in choice.spelled_faults if text.startswith("{")] if choice else [],
        query=query,
        open_url=f"{ehr.root}/launcher/open?{query}",
    )


def _anywhere(knobs: dict[str, Knob]) -> dict[str, Knob]:
    return {name: knob for name, knob in knobs.items() if not knob.on}


def _visits(ehr: EHR) -> dict[str, str]:
    names = {patient["id"]: patient_name(patient) for patient in ehr.store.current("Patient")}
    return {visit["id"]: _visit_words(visit, names) for visit in ehr.store.current("Encounter")}


def _visit_words(visit: dict[str, Any], names: dict[str, str]) -> str:
    patient = names.get(str(visit.get("subject", {}).get("reference", "")).rpartition("/")[2], "")
    day = str(visit.get("period", {}).get("start", ""))[:10]
    return f"{patient}, {day}{' (open)' if visit['status'] == 'in-progress' else ''}"
