"""Knobs for any interaction: late, silent, refused, unreadable; and what a create can do beside storing."""

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from flask import Response, g

from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, dropped, outcome, setting

CREATE = ("create", "update")


def _hang(_proceed: Proceed, fault: Fault) -> Response:
    time.sleep(fault.seconds)
    return dropped()


def _slow(proceed: Proceed, fault: Fault) -> Response:
    time.sleep(fault.seconds)
    return proceed()


def _commit_then_hang(proceed: Proceed, fault: Fault) -> Response:
    proceed()
    return _hang(proceed, fault)


def _drop_connection(_proceed: Proceed, _fault: Fault) -> Response:
    return dropped()


def _commit_then_drop(proceed: Proceed, _fault: Fault) -> Response:
    proceed()
    return dropped()


def _status(status: int) -> Answer:
    return lambda _proceed, fault: outcome(status, fault)


def _commit_then_status(status: int) -> Answer:
    def answer(proceed: Proceed, fault: Fault) -> Response:
        proceed()
        return outcome(status, fault)

    return answer


def _answer_html(_proceed: Proceed, _fault: Fault) -> Response:
    return Response("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, content_type="text/html")


def _answer_html_as_success(_proceed: Proceed, _fault: Fault) -> Response:
    return Response("<html><body>Please sign in</body></html>", 200, content_type="text/html")


def _answer_empty(_proceed: Proceed, _fault: Fault) -> Response:
    return Response("", 200)


def _commit_then_bare(proceed: Proceed, _fault: Fault) -> Response:
    return Response("", proceed().status_code)


def _commit_then_garbled(proceed: Proceed, _fault: Fault) -> Response:
    response = proceed()
    response.set_data(b'{"resourceType": "DocumentRefer')
    return response


def _throttled(_proceed: Proceed, fault: Fault) -> Response:
    response = outcome(429, fault)
    response.headers["Retry-After"] = str(int(fault.seconds))
    return response


def _unavailable_until(_proceed: Proceed, fault: Fault) -> Response:
    response = outcome(503, fault)
    response.headers["Retry-After"] = formatdate(time.time() + fault.seconds, usegmt=True)
    return response


def _redirected(status: int) -> Answer:
    def answer(_proceed: Proceed, fault: Fault) -> Response:
        target = fault.options.get("location", "http://elsewhere.example/")
        return Response("", status, headers={"Location": str(target)})

    return answer


def _altered(change: Callable[[dict[str, Any]], None]) -> Answer:
    def answer(proceed: Proceed, _fault: Fault) -> Response:
        g.alter_stored = change
        return proceed()

    return answer


def _without_label(resource: dict[str, Any]) -> None:
    resource.get("meta", {}).pop("security", None)


def _rewritten(resource: dict[str, Any]) -> None:
    for content in resource.get("content", []):
        content["attachment"]["data"] = "VGhpcyBpcyBub3Qgd2hhdCB3YXMgc2VudC4="


def _token_refused(description: str) -> Answer:
    def answer(_proceed: Proceed, fault: Fault) -> Response:
        response = outcome(401, fault, description)
        response.headers["WWW-Authenticate"] = f'Bearer error="invalid_token", error_description="{description}"'
        return response

    return answer


ANSWER_KNOBS: dict[str, Knob] = {
    "slow": Knob(_slow, "Answers late"),
    "hang": Knob(_hang, "Does nothing and never answers"),
    "commit_then_hang": Knob(_commit_then_hang, "Does it and never answers"),
    "drop_connection": Knob(_drop_connection, "Does nothing and drops the connection"),
    "commit_then_drop": Knob(_commit_then_drop, "Does it and drops the connection"),
    "answer_500": Knob(_status(500), "Does nothing, answers 500"),
    "commit_then_500": Knob(_commit_then_status(500), "Does it, answers 500"),
    "answer_502": Knob(_status(502), "Does nothing, answers 502"),
    "answer_504": Knob(_status(504), "Does nothing, answers 504"),
    "answer_503_date": Knob(_unavailable_until, "503 with Retry-After as a date"),
    "answer_429": Knob(_throttled, "429 with Retry-After in seconds"),
    "answer_400": Knob(_status(400), "Refuses with 400"),
    "answer_401": Knob(_status(401), "Refuses with 401"),
    "answer_403": Knob(_status(403), "Refuses with 403"),
    "answer_409": Knob(_status(409), "Refuses with 409"),
    "answer_412": Knob(_status(412), "Refuses with 412"),
    "answer_422": Knob(_status(422), "Refuses with 422"),
    "answer_423": Knob(_status(423), "Refuses with 423, chart locked"),
    "answer_202": Knob(_status(202), "Does nothing, answers 202"),
    "commit_then_202": Knob(_commit_then_status(202), "Does it, answers 202"),
    "answer_302": Knob(_redirected(302), "Redirects with 302 (options: location)"),
    "answer_307": Knob(_redirected(307), "Redirects with 307 (options: location)"),
    "answer_html": Knob(_answer_html, "502 with an HTML page"),
    "answer_html_as_success": Knob(_answer_html_as_success, "200 with an HTML page"),
    "answer_empty": Knob(_answer_empty, "Does nothing, 200 and an empty body"),
    "token_expired": Knob(_token_refused("The access token has expired."), "401: the token has expired", ("fhir",)),
    "token_invalid": Knob(_token_refused("The access token is not valid."), "401: the token is not valid", ("fhir",)),
    "commit_without_location": Knob(_commit_then_bare, "Does it, without Location, ETag or body", CREATE),
    "commit_then_garbled": Knob(_commit_then_garbled, "Does it, answers half a JSON document", CREATE),
    "search_lag": Knob(
        setting("searchable_after_seconds", lambda fault: fault.seconds), "Stores it; searches see it later", CREATE
    ),
    "drop_identifier": Knob(_altered(lambda r: r.pop("identifier", None)), "Stores it without identifier", CREATE),
    "drop_label": Knob(_altered(_without_label), "Stores it without security label", CREATE),
    "drop_author": Knob(_altered(lambda r: r.pop("author", None)), "Stores it without author", CREATE),
    "rewrite_text": Knob(_altered(_rewritten), "Stores another text", CREATE),
    "condition_ignored": Knob(
        setting("ignore_condition", lambda _fault: True), "If-None-Exist is ignored", ("create",)
    ),
    "condition_racy": Knob(
        setting("condition_race_seconds", lambda fault: fault.seconds),
        "If-None-Exist is looked up first, and the resource is stored later, without a lock",
        ("create",),
    ),
}
