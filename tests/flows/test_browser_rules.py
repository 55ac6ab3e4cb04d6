"""What every answer tells the browser, and what the browser may change: headers, cookies, forms, whose note it is."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from app.event_log.canonical import digest
from app.event_log.read import read_stream
from app.notes.events import DraftRecorded
from app.pages.frame import frame_every_response
from app.tenants.tables import launches
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database

# The whole of it, so that a change of any header is a decision.
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors {ehr}",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "clipboard-write=(self)",
    "Cache-Control": "no-store",
}
CHANGES = (
    "/draft",
    "/claims/c001/text",
    "/claims/c001/decision",
    "/sign",
    "/proposals/decision",
    "/proposals/p001/change",
    "/note/copied",
    "/note/entries/p001/entered",
    "/note/change/correction",
    "/note/addendum",
    "/note/give-up",
    "/note/take-back",
    "/note/retract/w001",
    "/note/stopped/w001",
    "/still-here",
    "/end",
)


def snapshot(service: Service) -> object:
    """Everything that a request could have changed, but for the notice that somebody used a launch."""
    with service.parts.database.read() as tx:
        return [
            list(tx.execute(select(table))) for table in service.app.extensions["sqlalchemy"].metadata.sorted_tables
        ]


def test_the_headers_of_a_page_are_exactly_these(service: Service) -> None:
    """E06, E07."""
    answer = service.drafted().get()
    headers = {name: value for name, value in answer.headers if name not in ("Content-Length", "Vary")}
    assert headers == {name: value.format(ehr=service.ehr.origin) for name, value in PAGE_HEADERS.items()}


def test_over_tls_browsers_are_told_to_stay_there(service: Service) -> None:
    """E07."""
    app = Flask("over-tls")
    frame_every_response(app, service.parts.tenants, "https://countersign.example")
    answer = app.test_client().get("/")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/charts/nothing/", 404),
        ("DELETE", "/launch", 405),
        ("GET", "/launch", 400),
        ("GET", "/callback/harbor-epic", 400),
        ("GET", "/static/app.css", 200),
        ("GET", "/.well-known/jwks.json", 200),
        ("GET", "/healthz", 200),
    ],
)
def test_no_answer_is_without_its_rules_for_frames(service: Service, method: str, path: str, status: int) -> None:
    """E06."""
    answer = service.browser().open(path, method=method, base_url=service.origin)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    assert re.fullmatch(r"\S+", policy.partition("frame-ancestors ")[2]), policy
    assert "*" not in policy
    assert "X-Frame-Options" not in answer.headers
    answer.close()


def test_error_pages_of_a_chart_are_framed_by_its_ehr(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """E06, E23: 401, 403, 405, 413 and 500 too."""
    chart = service.drafted()
    ehr = f"frame-ancestors {service.ehr.origin}"
    stranger = OpenChart(service, service.browser(), chart.launch_id)
    too_much = {"revision": "0", "text": "x" * 300_000}
    answers = {
        401: stranger.get(),
        403: chart.post("/draft", token="0" * 64),
        413: chart.post("/claims/c001/text", token="x", **too_much),
    }

    def crash(*_: object) -> None:
        raise RuntimeError("what the clinician wrote")

    with monkeypatch.context() as patch:
        patch.setattr(type(service.parts.notes), "find", crash)
        answers[500] = chart.get()
    for status, answer in answers.items():
        assert answer.status_code == status
        assert ehr in answer.headers["Content-Security-Policy"]
        assert "what the clinician wrote" not in answer.text


def test_the_cookie_of_a_launch_is_exactly_this(service: Service) -> None:
    """E02, E11: 256 bits that are new for each launch; only their digest is stored."""
    browser = service.browser()
    secrets = set()
    for _ in range(2):
        answer = service.callback(browser, service.authorize(browser))
        launch_id = answer.headers["Location"].split("/")[2]
        [line] = [one for one in answer.headers.getlist("Set-Cookie") if "Max-Age=0" not in one]
        golden = (
            rf"__Host-countersign-{re.escape(launch_id)}=([A-Za-z0-9_-]{{43}}); Expires=[^;]+; Max-Age=43200; Secure; "
            r"HttpOnly; Path=/; SameSite=None; Partitioned"
        )
        found = re.fullmatch(golden, line)
        assert found, line
        secrets.add(found[1])
        with service.parts.database.read() as tx:
            kept = tx.execute(select(launches.c.browser_digest).where(launches.c.launch_id == launch_id)).scalar_one()
        assert kept == digest(found[1].encode())
    assert len(secrets) == 2


def test_a_cookie_that_was_planted_before_the_launch_opens_nothing(service: Service) -> None:
    """E11: no value that came from outside becomes a session."""
    chart = service.drafted()
    planted = service.browser()
    planted.set_cookie(f"__Host-countersign-{chart.launch_id}", "planted" * 6, domain="app.localhost", secure=True)
    attacked = OpenChart(service, planted, chart.launch_id)
    assert attacked.get().status_code == 401

    again = service.open_chart(client=planted)
    assert again.launch_id != chart.launch_id
    assert attacked.get().status_code == 401


EXAMPLES = {"claim_id": "c001", "proposal_id": "p001", "kind": "correction", "writeback_id": "w001"}
FORGERIES = {
    "no token": {"token": ""},
    "another token": {"token": "0" * 64},
    "another site": {"origin": "https://evil.example"},
    "no origin": {"origin": ""},
    "null origin": {"origin": "null"},
}


@pytest.mark.parametrize("page", CHANGES)
def test_a_forged_form_changes_nothing_anywhere(service: Service, page: str) -> None:
    """E08."""
    chart = service.open_chart() if page == "/draft" else service.drafted()
    form = {"revision": "0", "decision": "confirm", "text": "Forged."}
    if page == "/sign":
        form |= chart.sign_form()
    true, before = chart.csrf(), snapshot(service)

    answers = {name: chart.post(page, **{"token": true, **forged}, **form) for name, forged in FORGERIES.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(FORGERIES, 403)
    assert snapshot(service) == before


def test_every_page_that_changes_something_is_tried_above(service: Service) -> None:
    """E08."""
    rules = {
        re.sub(r"<(\w+)>", lambda name: EXAMPLES[name[1]], str(rule).replace("/charts/<launch_id>", ""))
        for rule in service.app.url_map.iter_rules()
        if str(rule).startswith("/charts/") and "POST" in (rule.methods or ())
    }
    assert rules == set(CHANGES)


def test_opening_an_address_changes_nothing(service: Service) -> None:
    """E08: no side effect of a GET, but for the launch itself."""
    chart = service.drafted()
    chart.get("/record")  # follows the log
    before = snapshot(service)
    for page in ("/", "/sign", "/note", "/record", *CHANGES):
        chart.get(page)
    assert snapshot(service) == before


def test_one_press_on_the_review_page_cannot_sign(service: Service) -> None:
    """E09: the form that signs stands on a page of its own, which names patient, author, destination and hash."""
    chart = service.drafted()
    chart.settle()
    review = chart.get().text
    assert "displayed_hash" not in review
    assert 'action="sign"' not in review
    page = " ".join(chart.get("/sign").text.split())
    for shown in (
        "RIVERA, Ana",
        "Dr. Kwame Osei",
        "files as a signed progress note",
        chart.sign_form()["displayed_hash"],
    ):
        assert shown in page
    for missing in ("displayed_hash", "patient"):
        assert chart.sign(**{missing: ""}).status_code == 409
    assert chart.note().state.signed is None


def test_another_patients_note_is_out_of_reach_in_the_same_tenant(service: Service) -> None:
    """E25: a page's note is its launch's; no id in a form or an address says otherwise."""
    browser = service.browser()
    mine = service.drafted(client=browser)
    other = service.drafted(client=browser, patient="Nair, Priya")
    theirs = {claim.claim.id: claim.text for claim in other.note().review.claims}
    for claim_id in theirs:
        mine.post(f"/claims/{claim_id}/text", revision="0", text="Meant for Ana Rivera.", note_id=other.note().note_id)
    assert {claim.claim.id: claim.text for claim in other.note().review.claims} == theirs
    assert "NAIR" not in mine.get("/sign").text + mine.get().text


def test_another_clinician_in_the_same_chart_has_a_note_of_their_own(service: Service) -> None:
    """E25, E38."""
    mine = service.drafted()
    other = service.drafted(user=service.another_practitioner(mine))
    assert other.note().note_id != mine.note().note_id
    mine.settle()
    assert other.sign().status_code == 409
    assert mine.sign(**other.sign_form()).status_code == 409
    assert other.note().state.signed is mine.note().state.signed is None


def test_every_record_names_one_person(service: Service) -> None:
    """E29: issuer, subject and fhirUser, at every event of a note."""
    chart = service.signed()
    launch = chart.launch()
    with service.parts.database.read() as tx:
        history = list(read_stream(tx, launch.tenant_id, f"note:{chart.note().note_id}"))
    assert {one.actor for one in history} == {f"{launch.issuer}#{launch.subject}"}
    drafted = next(one.event for one in history if isinstance(one.event, DraftRecorded))
    assert (drafted.author_issuer, drafted.author_subject) == (launch.issuer, launch.subject)
    assert drafted.author == launch.fhir_user


def test_a_user_who_is_no_single_clinician_cannot_open_a_chart(service: Service) -> None:
    """E29: a generic account has no provider record, and so nothing to sign with."""
    patient = service.ehr.patient("epic", "Rivera, Ana")
    service.ehr.arm(
        "epic", interaction="token", fault="id_token_changed", times=1, options={"fhirUser": f"Patient/{patient}"}
    )
    browser = service.browser()
    answer = service.callback(browser, service.authorize(browser))
    assert answer.status_code in (400, 403)
    assert not [
        cookie
        for cookie in answer.headers.getlist("Set-Cookie")
        if "__Host-countersign-" in cookie and "Max-Age=0" not in cookie
    ]
