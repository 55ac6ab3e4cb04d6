"""Every fault knob, in one table: adding a knob is one function and one entry.

A knob gets `proceed`, which really carries the request out, and may call it or not, before or after
misbehaving: "commit then ..." knobs call it and lose the answer.
"""

import base64
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from flask import Response, g, request
from joserfc import jwt
from joserfc.jwk import RSAKey

from sandbox.ehr import current_ehr
from sandbox.qa.faults import Fault

FOREIGN_KEY_BITS = 2048

Proceed = Callable[[], Response]


@dataclass(frozen=True)
class Knob:
    """What a fault does, and in a few words for the switch on the chart page."""

    answer: Callable[[Proceed, Fault], Response]
    words: str


def _hang(_proceed: Proceed, fault: Fault) -> Response:
    time.sleep(fault.seconds)
    return _dropped()


def _slow(proceed: Proceed, fault: Fault) -> Response:
    time.sleep(fault.seconds)
    return proceed()


def _commit_then_hang(proceed: Proceed, fault: Fault) -> Response:
    proceed()
    return _hang(proceed, fault)


def _drop_connection(_proceed: Proceed, _fault: Fault) -> Response:
    return _dropped()


def _commit_then_drop(proceed: Proceed, _fault: Fault) -> Response:
    proceed()
    return _dropped()


def _status(status: int) -> Callable[[Proceed, Fault], Response]:
    return lambda _proceed, fault: _outcome(status, fault)


def _commit_then_status(status: int) -> Callable[[Proceed, Fault], Response]:
    def answer(proceed: Proceed, fault: Fault) -> Response:
        proceed()
        return _outcome(status, fault)

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
    response = _outcome(429, fault)
    response.headers["Retry-After"] = str(int(fault.seconds))
    return response


def _unavailable_until(_proceed: Proceed, fault: Fault) -> Response:
    response = _outcome(503, fault)
    response.headers["Retry-After"] = formatdate(time.time() + fault.seconds, usegmt=True)
    return response


def _altered(change: Callable[[dict[str, Any]], None]) -> Callable[[Proceed, Fault], Response]:
    def answer(proceed: Proceed, _fault: Fault) -> Response:
        g.alter_stored = change
        return proceed()

    return answer


def _search_lag(proceed: Proceed, fault: Fault) -> Response:
    g.searchable_after_seconds = fault.seconds
    return proceed()


def _token_without(*names: str) -> Callable[[Proceed, Fault], Response]:
    def answer(proceed: Proceed, _fault: Fault) -> Response:
        return _edited(proceed(), lambda body: [body.pop(name, None) for name in names])

    return answer


def _token_changed(proceed: Proceed, fault: Fault) -> Response:
    return _edited(proceed(), lambda body: body.update(fault.options))


def _id_token_changed(proceed: Proceed, fault: Fault) -> Response:
    return _id_token(proceed(), current_ehr().signing_key.key, fault.options)


def _id_token_by_another_key(proceed: Proceed, _fault: Fault) -> Response:
    return _id_token(proceed(), RSAKey.generate_key(FOREIGN_KEY_BITS), {})


def _id_token(response: Response, key: RSAKey, changes: dict[str, Any]) -> Response:
    """Sign the same id_token again, by this key and with these claims; a claim of None is left out."""

    def edit(body: dict[str, Any]) -> None:
        header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in body["id_token"].split(".")[:2])
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        body["id_token"] = jwt.encode(header, changed, key, algorithms=["RS256"])

    return _edited(response, edit)


def _id_token_unsigned(proceed: Proceed, _fault: Fault) -> Response:
    return _edited(proceed(), lambda body: body.update(id_token=_unsigned(body["id_token"])))


def _unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


def _condition_ignored(proceed: Proceed, _fault: Fault) -> Response:
    g.ignore_condition = True
    return proceed()


def _edited(response: Response, edit: Callable[[dict[str, Any]], Any]) -> Response:
    body = response.get_json()
    edit(body)
    response.set_data(json.dumps(body))
    return response


def _without_label(resource: dict[str, Any]) -> None:
    resource.get("meta", {}).pop("security", None)


def _rewritten(resource: dict[str, Any]) -> None:
    for content in resource.get("content", []):
        content["attachment"]["data"] = "VGhpcyBpcyBub3Qgd2hhdCB3YXMgc2VudC4="


def _outcome(status: int, fault: Fault) -> Response:
    issue = {"severity": "error", "code": "transient", "diagnostics": f"Fault knob: {fault.fault}"}
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return Response(body, status, content_type="application/fhir+json")


def _dropped() -> Response:
    connection: socket.socket = request.environ["gunicorn.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    return Response("", 500)


KNOBS: dict[str, Knob] = {
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
    "answer_html": Knob(_answer_html, "502 with an HTML page"),
    "answer_html_as_success": Knob(_answer_html_as_success, "200 with an HTML page"),
    "answer_empty": Knob(_answer_empty, "Does nothing, 200 and an empty body"),
    "commit_without_location": Knob(_commit_then_bare, "Does it, without Location, ETag or body"),
    "commit_then_garbled": Knob(_commit_then_garbled, "Does it, answers half a JSON document"),
    "search_lag": Knob(_search_lag, "Stores it; searches see it later"),
    "drop_identifier": Knob(_altered(lambda r: r.pop("identifier", None)), "Stores it without identifier"),
    "drop_label": Knob(_altered(_without_label), "Stores it without security label"),
    "drop_author": Knob(_altered(lambda r: r.pop("author", None)), "Stores it without author"),
    "rewrite_text": Knob(_altered(_rewritten), "Stores another text"),
    "token_without_patient": Knob(_token_without("patient"), "Token response without patient"),
    "token_without_encounter": Knob(_token_without("encounter"), "Token response without encounter"),
    "token_without_id_token": Knob(_token_without("id_token"), "Token response without id_token"),
    "id_token_changed": Knob(_id_token_changed, "id_token with the claims in options (null: left out)"),
    "id_token_by_another_key": Knob(_id_token_by_another_key, "id_token signed by a key not published"),
    "id_token_unsigned": Knob(_id_token_unsigned, "id_token with alg none"),
    "condition_ignored": Knob(_condition_ignored, "If-None-Exist is ignored"),
    "token_changed": Knob(_token_changed, "Token response with the keys in options replaced"),
}
