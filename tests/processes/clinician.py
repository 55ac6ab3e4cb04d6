"""A clinician at a browser, against real processes: HTTP only, cookies kept by hand.

`requests` neither resolves `*.localhost` nor sends Secure cookies over http; a browser does both.
Whatever secret passes through this browser is remembered, so that a test can look for it where it must not be.
"""

import html
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from app.demo.running import Demo
from tests.ehr import RunningSandbox

PATIENCE_SECONDS = 120.0  # an RQ worker that lost Redis looks for it again after up to a minute
SECRET_PARAMETERS = frozenset({"launch", "state", "code", "code_challenge", "nonce"})


def eventually(what: str, is_so: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true answer of `is_so`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := is_so()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return answer


def sandbox_of(demo: Demo) -> RunningSandbox:
    """The demo's simulated EHRs, with the QA calls that tests use."""
    local = f"http://127.0.0.1:{urlsplit(demo.sandbox).port}"
    return RunningSandbox(demo.sandbox, local, demo.processes.running["sandbox"], demo.home / "sandbox")


@dataclass
class Browser:
    """One cookie jar; `secrets` holds every cookie, code, state and launch that it has seen."""

    demo: Demo
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def get(self, url: str, **headers: str) -> requests.Response:
        return self._send("GET", url, headers=headers)

    def post(self, url: str, form: dict[str, str]) -> requests.Response:
        return self._send("POST", url, data=form, headers={"Origin": self.demo.app})

    def follow(self, response: requests.Response, at: str) -> tuple[requests.Response, str]:
        """Go where the redirects lead; returns the last answer and its address."""
        while response.is_redirect:
            at = urljoin(at, response.headers["Location"])
            response = self.get(at)
        return response, at

    def _send(self, method: str, url: str, *, headers: dict[str, str], **rest: Any) -> requests.Response:
        parts = urlsplit(url)
        self._remember(parts.query)
        jar = self.cookies.setdefault(parts.netloc, {})
        sent = {"Host": parts.netloc, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), **headers}
        reachable = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
        response = requests.request(method, reachable, headers=sent, allow_redirects=False, timeout=30, **rest)
        for cookie in response.raw.headers.getlist("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            jar[name] = value
            self.secrets |= {value} - {""}
        self._remember(urlsplit(response.headers.get("Location", "")).query)
        return response

    def _remember(self, query: str) -> None:
        self.secrets |= {value for name, value in parse_qsl(query) if name in SECRET_PARAMETERS}

    def open_chart(self, ehr: str = "epic", patient: str = "Rivera, Ana", **choice: str) -> "Chart":
        """Press "Open Countersign" in the chart and sign in."""
        sandbox = sandbox_of(self.demo)
        opened = sandbox.open_app(ehr, sandbox.patient(ehr, patient), **choice)["url"]
        self._remember(urlsplit(opened).query)
        response, at = self.follow(self.get(opened), opened)
        assert response.ok, f"{response.status_code} at {urlsplit(at).path}"
        return Chart(self, at)


@dataclass
class Chart:
    """The pages of one launch; `home` ends with a slash."""

    browser: Browser
    home: str
    _token: str = ""

    def get(self, page: str = "") -> requests.Response:
        response, _ = self.browser.follow(self.browser.get(self.home + page), self.home + page)
        return response

    def post(self, page: str, **form: str) -> requests.Response:
        """Post as our own page would; follows nothing."""
        return self.browser.post(self.home + page, {"csrf": self.csrf(), **form})

    def csrf(self) -> str:
        """The token of this launch's forms, read from its page once."""
        self._token = self._token or _hidden(self.get().text)["csrf"]
        return self._token

    def draft(self) -> None:
        response = self.post("draft")
        assert response.status_code == 303, response.status_code

    def confirm_all(self) -> None:
        page = self.get().text
        for claim, revision in re.findall(
            r'data-claim="([^"]+)"[^>]*data-open.*?name="revision" value="(\d+)"', page, re.DOTALL
        ):
            self.post(f"claims/{claim}/decision", revision=revision, decision="confirm")

    def sign(self) -> requests.Response:
        form = re.search(r'<form method="post" action="sign".*?</form>', self.get("sign").text, re.DOTALL)
        assert form, "the sign page has no form"
        return self.browser.post(f"{self.home}sign", _hidden(form[0]))

    def signed(self) -> "Chart":
        """Draft, confirm and sign."""
        self.draft()
        self.confirm_all()
        assert self.sign().status_code == 303
        return self

    def status(self) -> str:
        """The status line as it reads."""
        return self.get("note/status").json()["html"]

    def wait_for(self, words: str, seconds: float = PATIENCE_SECONDS) -> str:
        return eventually(words, lambda: words in (shown := self.status()) and shown, seconds)

    def wait_until_verified(self, seconds: float = PATIENCE_SECONDS) -> str:
        """Returns the reference of the filed note."""
        shown = self.wait_for("was read back and is what you signed", seconds)
        found = re.search(r'class="reference">([^<]+)<', shown)
        assert found
        return found[1]

    def note_text(self) -> str:
        """The signed text as the page shows it."""
        found = re.search(r'id="note-text"[^>]*>(.*?)</', self.get("note").text, re.DOTALL)
        assert found
        return html.unescape(found[1])


def _hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in reversed(found)}


def our_notes(demo: Demo, ehr: str = "epic", patient: str = "Rivera, Ana") -> list[dict[str, Any]]:
    """Countersign's notes in this patient's chart."""
    sandbox = sandbox_of(demo)
    subject = f"Patient/{sandbox.patient(ehr, patient)}"
    return [
        note
        for note in sandbox.qa(ehr, "resources/DocumentReference")
        if note["subject"]["reference"] == subject
        and any(one.get("system") == "urn:countersign:note" for one in note.get("identifier", []))
    ]
