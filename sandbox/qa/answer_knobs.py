"""Knobs for any interaction: late, silent, refused, unreadable."""

from collections.abc import Callable
from email.utils import formatdate

from flask import Response

from sandbox.clock import right_clock
from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, dropped, outcome, reset, silent

# Answers that can come although the request was carried out.
SPOILED = (401, 403, 409, 412, 422, 429, 500, 502, 503, 504)
# Issue codes that steer a client (https://hl7.org/fhir/R4/valueset-issue-type.html), with a status they come with.
ISSUES = {"duplicate": 409, "conflict": 409, "lock-error": 423, "throttled": 429, "transient": 500, "timeout": 504}


def _hang(_proceed: Proceed, fault: Fault) -> Response:
    return silent(fault.seconds)


def _slow(proceed: Proceed, fault: Fault) -> Response:
    right_clock().sleep(fault.seconds)
    return proceed()


def _commit_then_hang(proceed: Proceed, fault: Fault) -> Response:
    proceed()
    return _hang(proceed, fault)


def _drop_connection(_proceed: Proceed, _fault: Fault) -> Response:
    return dropped()


def _commit_then_drop(proceed: Proceed, _fault: Fault) -> Response:
    proceed()
    return dropped()


def _commit_then_reset(proceed: Proceed, _fault: Fault) -> Response:
    proceed()
    return reset()


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


def _waiting(status: int, until: Callable[[Fault], str]) -> Answer:
    """Refuse, and say when to come again (RFC 9110 10.2.3: seconds or a date)."""

    def answer(_proceed: Proceed, fault: Fault) -> Response:
        response = outcome(status, fault)
        response.headers["Retry-After"] = until(fault)
        return response

    return answer


def _seconds(fault: Fault) -> str:
    return str(int(fault.seconds))


def _date(fault: Fault) -> str:
    return formatdate(right_clock().now() + fault.seconds, usegmt=True)


def _an_hour_ago(_fault: Fault) -> str:
    return formatdate(right_clock().now() - 3600, usegmt=True)


def _issue(status: int, code: str) -> Answer:
    return lambda _proceed, fault: outcome(status, fault, code=code)


def _redirected(status: int) -> Answer:
    def answer(_proceed: Proceed, fault: Fault) -> Response:
        target = fault.options.get("location", "http://elsewhere.example/")
        return Response("", status, headers={"Location": str(target)})

    return answer


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
    "commit_then_reset": Knob(_commit_then_reset, "Does it and resets the connection"),
    "reset_connection": Knob(lambda _proceed, _fault: reset(), "Does nothing and resets the connection"),
    **{f"commit_then_{status}": Knob(_commit_then_status(status), f"Does it, answers {status}") for status in SPOILED},
    **{
        f"outcome_{code.replace('-', '_')}": Knob(_issue(status, code), f"{status} with the issue {code}")
        for code, status in ISSUES.items()
    },
    "answer_502": Knob(_status(502), "Does nothing, answers 502"),
    "answer_504": Knob(_status(504), "Does nothing, answers 504"),
    "answer_503": Knob(_waiting(503, _seconds), "503 with Retry-After in seconds"),
    "answer_503_date": Knob(_waiting(503, _date), "503 with Retry-After as a date"),
    "answer_503_past": Knob(_waiting(503, _an_hour_ago), "503 with Retry-After in the past"),
    "answer_503_garbled": Knob(_waiting(503, lambda _fault: "soon"), "503 with a Retry-After that says nothing"),
    "answer_429": Knob(_waiting(429, _seconds), "429 with Retry-After in seconds"),
    "answer_429_date": Knob(_waiting(429, _date), "429 with Retry-After as a date"),
    "answer_429_huge": Knob(_waiting(429, lambda _fault: "999999999"), "429 with Retry-After in thirty years"),
    "answer_400": Knob(_status(400), "Refuses with 400"),
    "answer_401": Knob(_status(401), "Refuses with 401"),
    "answer_403": Knob(_status(403), "Refuses with 403"),
    "answer_404": Knob(_status(404), "Refuses with 404"),
    "answer_405": Knob(_status(405), "Refuses with 405, as if it knew no such interaction"),
    "answer_410": Knob(_status(410), "Refuses with 410"),
    "answer_413": Knob(_status(413), "Refuses with 413, too large"),
    "answer_415": Knob(_status(415), "Refuses with 415"),
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
}
