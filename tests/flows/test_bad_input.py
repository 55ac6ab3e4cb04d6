"""Everything that can be wrong on the way to a signature: a page that says what happened, and nothing lost."""

import base64
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from app.writebacks.state import Stage
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database


def words(answer) -> str:
    return " ".join(answer.text.split())


def outbound(service: Service) -> int:
    return len(service.ehr.qa("epic", "requests"))


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"iss": ["{base}"]},
        {"launch": ["x"]},
        {"iss": ["{base}", "{base}"], "launch": ["x"]},
        {"iss": ["https://evil.example/fhir"], "launch": ["x"]},
        {"iss": ["http://ehr.localhost@evil.example/fhir"], "launch": ["x"]},
        {"iss": ["{base}"], "launch": [""]},
    ],
)
def test_a_bad_launch_link_says_so_and_asks_nobody(service: Service, query: dict[str, list[str]]) -> None:
    """A08, E14."""
    base = service.parts.tenants.require("harbor-epic").fhir_base
    filled = [(name, value.format(base=base)) for name, values in query.items() for value in values]
    before = outbound(service)

    answer = service.browser().get(f"/launch?{urlencode(filled)}", base_url=service.origin)

    assert 400 <= answer.status_code < 500
    assert "What to do" in answer.text
    assert "evil" not in answer.text
    assert outbound(service) == before


def test_a_state_can_be_used_once_and_only_by_its_own_browser(service: Service) -> None:
    """A17."""
    victim, attacker = service.browser(), service.browser()
    callback = service.authorize(victim)

    foreign = service.callback(attacker, callback)
    assert foreign.status_code == 400
    assert "sign-in cookie" in foreign.text

    fresh = service.authorize(victim)
    assert service.callback(victim, fresh).status_code == 303
    replayed = service.callback(victim, fresh)
    assert replayed.status_code == 400
    assert "not open any more" in replayed.text


def test_an_expired_state_says_that_it_took_too_long(service: Service) -> None:
    """A17."""
    browser = service.browser()
    callback = service.authorize(browser)
    service.clock.advance(minutes=11)
    answer = service.callback(browser, callback)
    assert answer.status_code == 400
    assert "took too long" in answer.text


def test_a_state_of_one_tenant_is_refused_at_anothers_callback(service: Service) -> None:
    """A15, A17."""
    browser = service.browser()
    parts = urlsplit(service.authorize(browser))
    answer = browser.get(f"/callback/lakeside-athenaone?{parts.query}", base_url=service.origin)
    assert answer.status_code == 400
    assert parse_qs(parts.query)["state"][0] not in answer.text


def test_a_token_response_without_patient_opens_nothing(service: Service) -> None:
    """A33."""
    service.ehr.arm("epic", interaction="token", fault="token_without_patient", times=1)
    browser = service.browser()
    answer = service.callback(browser, service.authorize(browser))
    assert answer.status_code == 400
    assert "which patient" in answer.text


@pytest.mark.parametrize("fault", ["answer_500", "answer_html", "answer_empty", "drop_connection"])
def test_an_ehr_that_cannot_be_read_is_said_and_the_next_try_works(service: Service, fault: str) -> None:
    chart = service.open_chart()
    service.ehr.arm("epic", interaction="read", resource_type="Patient", fault=fault, times=1)

    failed = chart.draft()
    assert failed.status_code == 503
    assert "gave no usable answer" in words(failed)
    assert "Try again" in failed.text

    assert chart.draft().status_code == 303
    assert chart.note().review.claims


@pytest.mark.parametrize("fault", ["answer_500", "answer_html", "answer_empty"])
def test_a_part_of_the_chart_that_cannot_be_read_is_named_on_the_page(service: Service, fault: str) -> None:
    chart = service.open_chart()
    service.ehr.arm("epic", interaction="search", resource_type="AllergyIntolerance", fault=fault, times=3)
    chart.draft()
    assert "Not read: allergies" in words(chart.get())


def test_a_visit_without_transcript_is_drafted_from_the_chart_and_says_so(service: Service) -> None:
    patients = {one["name"] for one in service.ehr.qa("epic", "patients")}
    empty = next(name for name in patients if name.startswith("Varga"))
    missing = next(name for name in patients if name.startswith("Sorensen"))
    for name in (empty, missing):
        chart = service.drafted(patient=name)
        assert "The draft rests on the chart alone" in words(chart.get())
        assert "Left for you" in chart.get().text


def test_binary_instead_of_a_transcript_is_named_not_quoted(service: Service) -> None:
    cho = service.ehr.patient("epic", "Cho, Raymond")
    transcript = next(
        one
        for one in service.ehr.qa("epic", "resources/DocumentReference")
        if one["subject"]["reference"] == f"Patient/{cho}" and one["type"]["coding"][0]["code"] == "visit-transcript"
    )
    url = transcript["content"][0]["attachment"]["url"]
    binary = next(one for one in service.ehr.qa("epic", "resources/Binary") if url.endswith(one["id"]))
    noise = base64.b64encode(bytes(range(256)) * 40).decode()
    service.ehr.edit("epic", "Binary", binary | {"data": noise})
    try:
        page = words(service.drafted(patient="Cho, Raymond").get())
    finally:
        service.ehr.edit("epic", "Binary", binary)
    assert "Not read" in page
    assert "not text" in page or "not readable" in page
    assert "The draft rests on the chart alone" in page


def test_what_is_signed_must_be_what_was_displayed(service: Service) -> None:
    """E37."""
    chart = service.drafted()
    chart.settle()
    form = chart.sign_form()
    claim = next(claim for claim in chart.note().review.claims if claim.in_note)
    chart.post(f"/claims/{claim.claim.id}/text", revision=claim.decision.revision, text="Changed in another tab.")

    refused = chart.sign(displayed_hash=form["displayed_hash"])
    assert refused.status_code == 409
    assert "changed in another window" in words(refused)
    assert chart.note().state.signed is None

    assert chart.sign().status_code == 303


@pytest.mark.parametrize(
    ("field", "value"), [("patient", "Patient/other"), ("encounter", "Encounter/other"), ("patient", "")]
)
def test_a_page_that_names_another_patient_or_visit_cannot_sign(service: Service, field: str, value: str) -> None:
    """E25, E36."""
    chart = service.drafted()
    chart.settle()
    answer = chart.sign(**{field: value})
    assert answer.status_code == 409
    assert "Not signed" in answer.text
    assert chart.note().state.signed is None


@pytest.mark.parametrize(
    "change", [{"status": "cancelled"}, {"status": "entered-in-error"}, {"subject": {"reference": "Patient/e1002"}}]
)
def test_a_visit_that_changed_in_the_ehr_since_the_launch_stops_the_signature(service: Service, change: dict) -> None:
    """A34, E25."""
    chart = service.drafted()
    chart.settle()
    encounter = chart.launch().encounter.removeprefix("Encounter/")
    original = next(one for one in service.ehr.qa("epic", "resources/Encounter") if one["id"] == encounter)
    service.ehr.edit("epic", "Encounter", original | change)
    try:
        answer = chart.sign()
        assert answer.status_code == 409
        assert chart.note().state.signed is None
    finally:
        service.ehr.edit("epic", "Encounter", original)
    assert chart.sign().status_code == 303


def test_an_ehr_that_cannot_confirm_the_visit_stops_the_signature_and_loses_nothing(service: Service) -> None:
    chart = service.drafted()
    chart.settle()
    service.ehr.arm("epic", interaction="read", resource_type="Encounter", fault="answer_500", times=1)
    answer = chart.sign()
    assert answer.status_code == 503
    assert "gave no usable answer" in words(answer)
    assert chart.sign().status_code == 303


def test_signing_twice_is_signing_once(service: Service) -> None:
    """E38, F40."""
    chart = service.drafted()
    chart.settle()
    form, token = chart.sign_form(), chart.csrf()
    answers = [chart.post("/sign", token=token, **form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    assert chart.writeback().attempts == 1


def test_an_unsettled_note_has_no_sign_button_and_refuses_a_forged_form(service: Service) -> None:
    """E09."""
    chart = service.drafted()
    page = chart.get("/sign").text
    assert "Not ready to sign" in page
    assert 'id="sign"' not in page
    assert chart.sign().status_code == 409
    assert chart.note().state.signed is None


@pytest.mark.parametrize(
    ("token", "origin"), [("", None), ("0" * 64, None), (None, "https://evil.example"), (None, "null"), (None, "")]
)
def test_a_forged_post_changes_nothing(service: Service, token: str | None, origin: str | None) -> None:
    """E08."""
    chart = service.drafted()
    claim = chart.note().review.open_claims[0]
    answer = chart.post(
        f"/claims/{claim.claim.id}/decision", token=token, origin=origin, revision=0, decision="confirm"
    )
    assert answer.status_code == 403
    assert chart.note().review.open_claims[0].claim.id == claim.claim.id


def test_a_chart_opens_only_in_the_browser_that_launched_it(service: Service) -> None:
    """A69, E06, E25."""
    chart = service.drafted()
    stranger = OpenChart(service, service.browser(), chart.launch_id)
    for page in ("/", "/sign", "/note", "/record"):
        answer = stranger.get(page)
        assert answer.status_code == 401
        assert "Rivera" not in answer.text
        assert service.ehr.origin in answer.headers["Content-Security-Policy"]


def test_two_charts_in_one_browser_never_cross(service: Service) -> None:
    """A69, E25."""
    browser = service.browser()
    first = service.drafted(client=browser, patient="Rivera, Ana")
    second = service.drafted(client=browser, patient="Nair, Priya")
    assert "RIVERA" in first.get().text
    assert "NAIR" in second.get().text
    crossed = first.post("/sign", token=second.csrf(), **second.sign_form())
    assert crossed.status_code == 403
    second.settle()
    assert first.post("/sign", **second.sign_form()).status_code == 409


@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("/claims/c999/text", {"revision": "0", "text": "x"}),
        ("/claims/c001/text", {"revision": "one", "text": "x"}),
        ("/claims/c001/text", {"text": "x"}),
        ("/claims/c001/decision", {"revision": "0", "decision": "approve-all"}),
        ("/claims/c001/text", {"revision": "0", "text": "x" * 5000}),
    ],
)
def test_a_malformed_change_is_refused_in_words(service: Service, page: str, form: dict[str, str]) -> None:
    """E23."""
    chart = service.drafted()
    answer = chart.post(page, **form)
    assert 400 <= answer.status_code < 500
    assert "What to do" in answer.text


def test_a_stale_line_is_refused_and_both_texts_are_kept(service: Service) -> None:
    chart = service.drafted()
    claim = next(claim for claim in chart.note().review.claims if claim.in_note)
    path = f"{chart.path}/claims/{claim.claim.id}/text"
    headers = {"Origin": service.origin, "Accept": "application/json", "X-CSRF-Token": chart.csrf()}
    first, second = (
        chart.client.post(path, base_url=service.origin, headers=headers, data={"revision": "0", "text": text})
        for text in ("From the first tab.", "From the second tab.")
    )
    assert first.status_code == 200
    assert second.status_code == 409
    assert second.get_json()["yours"] == "From the second tab."
    assert "From the first tab." in second.get_json()["claim_html"]


def test_a_token_that_ended_parks_the_write_and_the_signers_next_launch_resumes_it(service: Service) -> None:
    """E12, E38, F19, I6."""
    chart = service.signed()
    service.end_tokens()
    service.work()
    assert chart.writeback().stage is Stage.PARKED
    assert "Start Countersign again from this chart" in chart.status()["html"]

    other = next(
        one["id"]
        for one in service.ehr.qa("epic", "resources/Practitioner")
        if one["id"] not in chart.launch().fhir_user
    )
    service.open_chart(user=other)
    service.work()
    assert chart.writeback().stage is Stage.PARKED

    service.open_chart()
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED


def test_the_frame_is_open_to_the_tenants_ehr_and_to_nobody_else(service: Service) -> None:
    """E06."""
    chart = service.drafted()
    policy = chart.get().headers["Content-Security-Policy"]
    assert f"frame-ancestors {service.ehr.origin}" in policy
    assert "'unsafe-inline'" not in policy
    unknown = service.browser().get("/charts/nothing/", base_url=service.origin)
    assert unknown.status_code == 404
    assert "frame-ancestors 'none'" in unknown.headers["Content-Security-Policy"]
    assert unknown.headers["Cache-Control"] == "no-store"


def test_the_launch_cookie_is_host_bound_partitioned_and_out_of_reach_of_scripts(service: Service) -> None:
    """E02."""
    browser = service.browser()
    answer = service.callback(browser, service.authorize(browser))
    cookies = [value for value in answer.headers.getlist("Set-Cookie") if "Max-Age=0" not in value]
    assert len(cookies) == 1
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"):
        assert attribute in cookies[0]
    assert cookies[0].startswith("__Host-countersign-")


def test_a_failure_that_names_a_code_shows_it_and_logs_it(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """E22, E23."""
    chart = service.open_chart()
    service.ehr.arm("epic", interaction="read", resource_type="Patient", fault="answer_500", times=1)
    shown = re.search(r"<code>try_again ([0-9A-Z]{8})</code>", chart.draft().text)
    assert shown
    assert shown[1] in capsys.readouterr().out
