"""The QA API's part about charts: what people do to them, backups of the whole EHR, and who is told of changes."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError

from sandbox.ehr import EHR
from sandbox.qa.callbacks import Subscription
from sandbox.qa.edits import WORDS, Edit, UnusableEdit, back_up, carry_out
from sandbox.qa.sending import send_what_is_due, start_sending

Chosen = Callable[[str], EHR]


def add_chart(routes: Blueprint, chosen: Chosen) -> None:
    """`/edits` and `/backups`."""

    @routes.get("/edits")
    def edits(name: str) -> Response:
        done = chosen(name).database.rows("SELECT * FROM chart_changes ORDER BY number")
        return jsonify({"done": [dict(row) for row in done], "actions": WORDS})

    @routes.post("/edits")
    def edit(name: str) -> tuple[Response, int]:
        try:
            changed = carry_out(chosen(name), Edit.model_validate(request.get_json()))
        except ValidationError as error:
            return jsonify(error=error.errors(include_url=False, include_context=False)), 422
        except UnusableEdit as error:
            return jsonify(error=str(error), actions=sorted(WORDS)), 422
        return jsonify(changed=changed), 201

    @routes.post("/backups")
    def backup(name: str) -> tuple[Response, int]:
        return jsonify(mark=back_up(chosen(name))), 201


def add_callbacks(routes: Blueprint, chosen: Chosen) -> None:
    """`/callbacks`: who is told, what was sent, and sending by hand."""

    @routes.get("/callbacks")
    def state(name: str) -> Response:
        callbacks = chosen(name).callbacks
        told = callbacks.subscription
        shown = told.model_dump(exclude={"secret"}) if told else None
        sent = [{"id": one.id, "knob": one.knob, "notice": one.body.decode()} for one in callbacks.sent()]
        return jsonify(subscription=shown, waiting=callbacks.waiting(), sent=sent)

    @routes.put("/callbacks")
    def subscribe(name: str) -> Response | tuple[Response, int]:
        ehr = chosen(name)
        try:
            subscription = Subscription.model_validate(request.get_json())
        except ValidationError as error:
            return jsonify(error=error.errors(include_url=False, include_context=False, include_input=False)), 422
        ehr.callbacks.subscribe(subscription)
        if subscription.automatic:
            start_sending(ehr)
        return jsonify(subscription.model_dump(exclude={"secret"}))

    @routes.delete("/callbacks")
    def unsubscribe(name: str) -> tuple[str, int]:
        chosen(name).callbacks.subscribe(None)
        return "", 204

    @routes.post("/callbacks/deliveries")
    def deliver(name: str) -> Response:
        return jsonify(delivered=send_what_is_due(chosen(name)))
