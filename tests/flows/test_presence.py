"""A launch that lies idle, and a clinician who has two charts open: nobody signs for a patient they forgot."""

import re

import pytest
from sqlalchemy import select

from app.tenants.tables import launches
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database


def words(answer) -> str:
    return " ".join(answer.text.split())


def ready(service: Service, **kwargs) -> OpenChart:
    chart = service.drafted(**kwargs)
    chart.settle()
    return chart


def ticked(chart: OpenChart) -> dict[str, str]:
    """What the sign page's box for the patient sends."""
    found = re.search(r'name="patient_confirmed" value="([0-9a-f]{64})"', chart.get("/sign").text)
    return {"patient_confirmed": found[1]} if found else {}


def last_seen(service: Service, chart: OpenChart):
    with service.parts.database.read() as tx:
        return tx.execute(select(launches.c.last_seen_at).where(launches.c.launch_id == chart.launch_id)).scalar_one()


def test_an_idle_launch_shows_nothing_until_somebody_says_that_it_is_still_them(service: Service) -> None:
    """E12, A34."""
    chart = service.drafted()
    token = chart.csrf()
    service.clock.advance(minutes=31)

    asked = chart.get("/sign")
    assert asked.status_code == 403
    assert "Still there?" in asked.text
    assert "RIVERA, Ana" in words(asked)
    assert "You are <strong>Dr. Kwame Osei</strong>" in words(asked)
    assert "cough" not in asked.text

    back = re.search(r'name="back" value="([^"]+)"', asked.text)
    assert back
    answer = chart.post("/still-here", token=token, back=back[1])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{chart.path}/sign")
    assert chart.get("/sign").status_code == 200


def test_before_there_is_a_draft_an_idle_launch_asks_too(service: Service) -> None:
    """E12."""
    chart = service.open_chart()
    service.clock.advance(minutes=31)
    asked = chart.get()
    assert asked.status_code == 403
    assert "the chart opened on" in words(asked)


@pytest.mark.parametrize(
    "back",
    ["https://evil.example/", "//evil.example/", "/charts/another/", "javascript:alert(1)", "/\\evil.example", "", "/"],
)
def test_the_way_back_never_leaves_this_chart(service: Service, back: str) -> None:
    """E12."""
    chart = service.drafted()
    token = chart.csrf()
    service.clock.advance(minutes=31)
    assert chart.post("/still-here", token=token, back=back).headers["Location"] == f"{chart.path}/"


def test_saying_that_one_is_still_there_needs_the_pages_own_form(service: Service) -> None:
    """E08, E12."""
    chart = service.drafted()
    service.clock.advance(minutes=31)
    assert chart.post("/still-here", token="0" * 64).status_code == 403
    assert chart.get().status_code == 403


def test_an_edit_on_an_idle_launch_is_not_saved_and_the_script_is_told_how_to_go_on(service: Service) -> None:
    """E12."""
    chart = service.drafted()
    claim = chart.note().review.open_claims[0]
    token = chart.csrf()
    headers = {"Origin": service.origin, "Accept": "application/json", "X-CSRF-Token": token}
    service.clock.advance(minutes=31)

    def post(path: str, **form: str):
        return chart.client.post(path, base_url=service.origin, headers=headers, data=form)

    path = f"{chart.path}/claims/{claim.claim.id}/text"
    refused = post(path, revision="0", text="Late.")
    assert refused.status_code == 403
    assert "in the chart of RIVERA, Ana" in refused.get_json()["problem"]
    assert chart.note().review.open_claims[0].text == claim.text

    assert post(refused.get_json()["still_here"]).get_json() == {"ok": True}
    assert post(path, revision="0", text="Late.").status_code == 200


def test_a_page_that_asks_by_itself_does_not_keep_a_launch_alive(service: Service) -> None:
    """E12."""
    chart = service.signed()
    for _ in range(6):
        service.clock.advance(minutes=6)
        answer = chart.get("/note/status")
    assert answer.status_code == 403
    assert chart.get("/note").status_code == 403


def test_whoever_works_is_not_asked(service: Service) -> None:
    """E12."""
    chart = service.drafted()
    for _ in range(6):
        service.clock.advance(minutes=10)
        assert chart.get().status_code == 200


def test_a_use_is_written_down_at_most_once_a_minute(service: Service) -> None:
    """E12."""
    chart = service.open_chart()
    service.clock.advance(seconds=61)
    chart.get()
    first = last_seen(service, chart)
    service.clock.advance(seconds=30)
    chart.get()
    assert last_seen(service, chart) == first
    service.clock.advance(seconds=31)
    chart.get()
    assert last_seen(service, chart) > first


def test_a_launch_ends_for_good_however_busy_it_is(service: Service) -> None:
    """E12."""
    chart = service.drafted()
    token = chart.csrf()
    service.clock.advance(hours=13)
    assert chart.get().status_code == 401
    assert chart.post("/still-here", token=token).status_code == 401
    assert chart.post("/sign", token=token, **chart.sign_form()).status_code == 401
    assert chart.note().state.signed is None


def test_a_launch_that_was_left_alone_signs_only_when_the_patient_is_confirmed(service: Service) -> None:
    """A34, E12, E13."""
    chart = ready(service)
    service.clock.advance(minutes=16)

    refused = chart.sign()
    assert refused.status_code == 409
    assert "tick the box" in words(refused)
    assert "This note is for <strong>RIVERA, Ana</strong>" in words(refused)
    assert chart.note().state.signed is None

    assert chart.sign(patient_confirmed="yes").status_code == 409
    assert chart.sign(**ticked(chart)).status_code == 303
    assert chart.note().state.signed.patient_confirmed is True


def test_coming_back_by_another_page_first_does_not_spare_the_confirmation(service: Service) -> None:
    """A34."""
    chart = ready(service)
    service.clock.advance(minutes=16)
    chart.get()
    assert "left alone" in words(chart.get("/sign"))
    assert chart.sign().status_code == 409


def test_whoever_is_at_work_signs_without_being_asked(service: Service) -> None:
    """A34."""
    chart = ready(service)
    service.clock.advance(minutes=14)
    assert "patient_confirmed" not in chart.get("/sign").text
    assert chart.sign().status_code == 303
    assert chart.note().state.signed.patient_confirmed is False


def test_the_chart_that_was_opened_first_is_confirmed_after_another_one_was_opened(service: Service) -> None:
    """A34, A69."""
    browser = service.browser()
    first = ready(service, client=browser)
    second = ready(service, client=browser, patient="Nair, Priya")

    refused = first.sign()
    assert refused.status_code == 409
    assert "another patient" in words(refused)
    assert second.sign().status_code == 303
    assert first.sign(**ticked(first)).status_code == 303


def test_a_confirmation_of_one_chart_is_worth_nothing_in_another(service: Service) -> None:
    """A34, A69."""
    browser = service.browser()
    first = ready(service, client=browser)
    second = ready(service, client=browser, patient="Nair, Priya")
    service.open_chart(client=browser, patient="Cho, Raymond")

    assert first.sign(**ticked(second)).status_code == 409
    assert second.sign(**ticked(first)).status_code == 409
    assert first.note().state.signed is second.note().state.signed is None


def test_the_same_chart_opened_again_is_no_other_patient(service: Service) -> None:
    """A34."""
    first = ready(service)
    service.open_chart(client=first.client)
    assert first.sign().status_code == 303


def test_a_tenant_may_want_the_patient_confirmed_with_every_signature(service: Service) -> None:
    """E13."""
    service.change_tenant("harbor-epic", reconfirm_always=True)
    chart = ready(service)
    assert chart.sign().status_code == 409
    assert chart.sign(**ticked(chart)).status_code == 303


def test_two_charts_in_one_browser_used_in_turn_never_cross(service: Service) -> None:
    """A69, E25."""
    browser = service.browser()
    charts = {name: service.drafted(client=browser, patient=name) for name in ("Rivera, Ana", "Nair, Priya")}
    for name, chart in charts.items():
        claim = next(one for one in chart.note().review.claims if one.claim.section == "plan")
        page = f"/claims/{claim.claim.id}/text"
        assert chart.post(page, revision=claim.decision.revision, text=f"Only for {name}.").status_code == 303
    for chart in charts.values():
        chart.settle()
    for name, chart in reversed(charts.items()):
        other = next(one for one in charts if one != name)
        assert f"Only for {name}." in chart.get("/sign").text
        assert f"Only for {other}." not in chart.get("/sign").text
    for name, chart in charts.items():
        assert chart.sign(**ticked(chart)).status_code == 303
        assert f"Only for {name}." in chart.get("/note").text
    service.work()
    for chart in charts.values():
        assert chart.writeback().stage == "verified"
