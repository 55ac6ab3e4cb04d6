"""The network between the app and the simulated EHRs, in process.

What a tenant's session sends goes through here, meets the faults of the history, and is written down as it was really
executed.
"""

import base64
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import ReadTimeout
from requests.structures import CaseInsensitiveDict
from typing_extensions import override
from urllib3 import HTTPResponse

from app.chaos.clock import SimulatedTime
from app.chaos.faults import BY_THE_EHR, Fault, Moment
from app.chaos.moments import Moments
from vendors.egress import NotConnected

TIMEOUT_SECONDS = 25
WRITES = frozenset({"POST", "PUT", "PATCH"})
# Less than any profile's `longest_execution_seconds` by this much, counted from the record of the attempt.
MARGIN_SECONDS = 5
UNMARKED, UNRECOGNISABLE = Fault("drop_identifier", 0), Fault("drop_identifier_and_text", 0)
# What becomes of a write whose answer is lost.
STORED = {"reply_lost": None, "unmarked_reply_lost": UNMARKED, "unrecognisable_reply_lost": UNRECOGNISABLE}


class Answered(Protocol):
    """What an EHR answered."""

    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...  # noqa: D102
    @property
    def body(self) -> bytes: ...  # noqa: D102


@dataclass(frozen=True)
class Accepted:
    """202: it will be done, some time."""

    status: int = 202
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


Exchange = Callable[[str, str, dict[str, str], bytes], Answered]
"""One request (method, URL, headers, body) to the EHRs. Raises a `requests` exception where a connection breaks."""


@dataclass(frozen=True)
class Written:
    """One change that an EHR made for a request: which resource at which version, under whose token."""

    ehr: str
    resource_type: str
    resource_id: str
    version: int
    interaction: str
    subject: str
    patient: str
    family: str


@dataclass
class Sent:
    """One write as it left: for which write-back, with which bytes, and what the EHR really did."""

    ehr: str
    writeback_id: str
    method: str
    resource_type: str
    digest: str
    text: str
    at: datetime
    written: list[Written] = field(default_factory=list)
    status: int | None = None
    # Stored without our identifier; in other words; so that nobody could know, and therefore sent again.
    is_unmarked: bool = False
    is_reworded: bool = False
    is_lost_sight_of: bool = False


@dataclass(frozen=True)
class Late:
    """A request that will be executed when nobody waits for its answer any more.

    `promised` is when it will be done at the latest by the EHR's profile. One that was answered 202 is done later than
    that only where the app remembers that this EHR does so: the very first 202, unheard, is told by nothing.
    """

    due: datetime
    promised: datetime
    request: requests.PreparedRequest
    sent: Sent


class Wire(BaseAdapter):
    """Carries requests to the simulated EHRs, through the faults of the history."""

    def __init__(self, exchange: Exchange, moments: Moments, time: SimulatedTime) -> None:
        super().__init__()
        self._exchange = exchange
        self._moments = moments
        self._time = time
        self._late: list[Late] = []
        self.sent: list[Sent] = []
        # Set by the world: what the EHR wrote since it was last asked, the knob to turn for one request, and how long
        # a write that was begun may still take, by its profile.
        self.written_since: Callable[[str], list[Written]] = lambda _ehr: []
        self.turn_knob: Callable[[str, str, Fault], Callable[[], None]] = lambda _ehr, _method, _fault: lambda: None
        self.may_take: Callable[[Sent], float] = lambda _sent: 0
        # Whether the app knows of this write's EHR that it files what it accepted later than its profile says.
        self.is_known_to_file_later: Callable[[Sent], bool] = lambda _sent: False
        self.before_write: Callable[[Sent], None] = lambda _sent: None
        self.after_write: Callable[[], None] = lambda: None
        time.moved = self.deliver_late

    def forget(self) -> None:
        """Begin a new history."""
        self.sent.clear()
        self._late.clear()

    @override
    def close(self) -> None:
        """Nothing is open."""

    @override
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """One exchange. Raises what a real one would."""
        if request.method in WRITES and "/oauth2/" not in str(request.url):
            return self._write(request)
        self._moments.step()
        moment = Moment.TOKEN if request.method in WRITES else Moment.ASK
        response = self._asked(request, self._moments.meet(moment))
        self._moments.step()
        return response

    def deliver_late(self) -> None:
        """Execute what the EHR had still to execute by now."""
        now = self._time.now
        due = [
            late
            for late in self._late
            if late.due <= now or (late.promised <= now and not self.is_known_to_file_later(late.sent))
        ]
        self._late = [late for late in self._late if late not in due]
        for late in due:
            self._execute(late.request, late.sent)

    def may_still_come(self, sent: Sent) -> bool:
        """Whether the EHR has this one still to execute."""
        return any(late.sent is sent for late in self._late)

    def _write(self, request: requests.PreparedRequest) -> requests.Response:
        sent = self._sent(request)
        self._moments.step(pause_at_most=self.may_take(sent))
        self.before_write(sent)
        self.sent.append(sent)
        fault = self._moments.meet(Moment.WRITE)
        match fault.kind if fault else "":
            case "not_connected":
                raise NotConnected("no connection could be made", request=request)
            case "request_lost":
                raise self._timed_out(request)
            case "executed_late":
                self._execute_later(request, sent, min(fault.seconds if fault else 0, self.may_take(sent)))
                raise self._timed_out(request)
            case "accepted_then_filed":
                self._execute_later(request, sent, fault.seconds if fault else 0)
                return _response(request, Accepted())
            case "reply_lost" | "unmarked_reply_lost" | "unrecognisable_reply_lost" as how:
                self._execute(request, sent, STORED[how])
                raise self._timed_out(request)
        response = self._execute(request, sent, fault)
        self._moments.step()
        return response

    def _execute_later(self, request: requests.PreparedRequest, sent: Sent, seconds: float) -> None:
        due, promised = (self._time.now + timedelta(seconds=late) for late in (seconds, self.may_take(sent)))
        self._late.append(Late(due, promised, request, sent))

    def _asked(self, request: requests.PreparedRequest, fault: Fault | None) -> requests.Response:
        match fault.kind if fault else "":
            case "answer_too_slow":
                raise self._timed_out(request)
            case "not_reachable" | "renewal_away":
                raise NotConnected("no connection could be made", request=request)
            case "renewal_lost":
                self._call(request)
                raise self._timed_out(request)
        return self._through_knob(request, fault)

    def _timed_out(self, request: requests.PreparedRequest) -> ReadTimeout:
        self._time.pass_by(TIMEOUT_SECONDS)
        return ReadTimeout("no answer in time", request=request)

    def _execute(self, request: requests.PreparedRequest, sent: Sent, fault: Fault | None = None) -> requests.Response:
        kind = fault.kind if fault else ""
        sent.is_unmarked |= kind in (UNMARKED.kind, UNRECOGNISABLE.kind)
        sent.is_reworded |= kind == UNRECOGNISABLE.kind and sent.resource_type == "DocumentReference"
        try:
            response = self._through_knob(request, fault)
            sent.status = response.status_code
        finally:
            sent.written += self.written_since(sent.ehr)
            self.after_write()
        return response

    def _through_knob(self, request: requests.PreparedRequest, fault: Fault | None) -> requests.Response:
        if fault is None:
            return self._call(request)
        back = self.turn_knob(ehr_of(request), str(request.method), fault)
        try:
            return self._call(request)
        finally:
            back()

    def _call(self, request: requests.PreparedRequest) -> requests.Response:
        with self._moments.uncounted():
            answer = self._exchange(str(request.method), str(request.url), _headers(request), _content(request))
        return _response(request, answer)

    def _sent(self, request: requests.PreparedRequest) -> Sent:
        path = urlsplit(str(request.url)).path
        resource_type = next((part for part in reversed(path.split("/")) if part[:1].isupper()), "")
        writeback_id = request.headers.get("X-Request-Id", "")
        content = _content(request)
        digest, text = sha256(content).hexdigest(), words_of(json.loads(content or b"{}"))
        return Sent(ehr_of(request), writeback_id, str(request.method), resource_type, digest, text, self._time.now)


def words_of(resource: Any) -> str:
    """What a resource says, as far as its type is played here; empty for a patch, and where the text is elsewhere."""
    match resource:
        case {"resourceType": "DocumentReference", "content": [{"attachment": {"data": data}}, *_]}:
            return base64.b64decode(data).decode()
        case {"resourceType": "Condition", "code": {"text": text}}:
            return str(text)
        case {"resourceType": "Observation", "valueQuantity": {"value": value}}:
            return str(value)
        case {"resourceType": "Task", "description": text}:
            return str(text)
    return ""


def ehr_of(request: requests.PreparedRequest) -> str:
    """Which of the simulated EHRs a request goes to: the first part of its path."""
    return urlsplit(str(request.url)).path.split("/")[1]


def knob_of(fault: Fault) -> str:
    """The name of the EHR's own knob for a fault of ours."""
    return KNOB_NAMES.get(fault.kind, fault.kind)


KNOB_NAMES = {
    "ask_500": "answer_500",
    "ask_429": "answer_429",
    "ask_401": "answer_401",
    "ask_garbled": "commit_then_garbled",
    "token_answer_500": "answer_500",
}
if not KNOB_NAMES.keys() <= BY_THE_EHR.keys():
    raise TypeError(f"no such faults: {sorted(KNOB_NAMES.keys() - BY_THE_EHR.keys())}")


def _headers(request: requests.PreparedRequest) -> dict[str, str]:
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}


def _content(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)


def _response(request: requests.PreparedRequest, answer: Answered) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.encoding = "utf-8"
    response.request = request
    response.url = str(request.url)
    response.raw = HTTPResponse(io.BytesIO(answer.body), status=answer.status, preload_content=False)
    response._content = answer.body
    return response
