"""The life of a launch's tokens against a real authorization server that ends everything when a token is used twice."""

import ast
import inspect
import typing
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from app.errors import AddressChanged, ClientRefused, Corrupt, NeedsSignIn, NotRenewed
from app.event_log.canonical import digest
from app.event_log.read import read_stream
from app.ids import TenantId
from app.outbox.tables import outbox
from app.publication.giving_back import KEPT_AT_MOST, MOST_TRIES
from app.tenants.ehr import Signer
from app.tenants.grants import OpenGrant
from app.tenants.tables import grants, launch_transactions, launches
from app.worker import sweep_once
from app.writebacks.state import Stage
from launch.id_token import IDTokens
from tests.races.at_once import at_once, failures
from tests.service import OpenChart, Service
from vendors.contract import VendorAdapter, Write
from vendors.epic import Epic
from vendors.errors import NotAuthorized, TokenRefused
from vendors.fhir_r4 import FHIRR4
from vendors.transport import FHIRTransport, NotTheSigners, SignersTransport

REFERENCE = TenantId("reference-hospital")
HARBOR = TenantId("harbor-epic")
ROOT = Path(__file__).parents[2]


def soon_over(service: Service) -> None:
    """The access tokens are about to end; what renews them is there."""
    service.change_grants(expires_at=service.clock() + timedelta(seconds=10))


def time_passes_for_us_alone(service: Service) -> None:
    """What was put off is due. The clock stays: the EHR would refuse an assertion from the future."""
    with service.parts.database.write() as tx:
        tx.execute(update(grants).values(renewing_until=None))
        tx.execute(update(outbox).where(outbox.c.due_at.isnot(None)).values(due_at=service.clock()))


def stored(service: Service, chart: OpenChart) -> Any:
    launch = chart.launch()
    with service.parts.database.read() as tx:
        return service.parts.grants.find(tx, launch.tenant_id, launch.launch_id)


def tokens_of(service: Service, chart: OpenChart) -> OpenGrant:
    return stored(service, chart).tokens


def story(service: Service, chart: OpenChart) -> list[str]:
    launch = chart.launch()
    with service.parts.database.read() as tx:
        return [one.event.tag for one in read_stream(tx, launch.tenant_id, f"launch:{launch.launch_id}")]


def write_story(service: Service, chart: OpenChart) -> list[str]:
    note = chart.note()
    stream = f"writeback:{note.state.signed.writeback_id}"
    with service.parts.database.read() as tx:
        return [one.event.tag for one in read_stream(tx, note.tenant_id, stream)]


def issued(service: Service, ehr: str = "reference") -> int:
    return len(service.ehr.qa(ehr, "tokens"))


def known_at_the_ehr(service: Service, access_token: str, ehr: str = "reference") -> dict[str, Any]:
    fingerprint = digest(access_token.encode())
    return next(one for one in service.ehr.qa(ehr, "tokens") if one["token_sha256"] == fingerprint)


def notes_filed(service: Service, chart: OpenChart, ehr: str = "reference") -> int:
    return sum(one["id"] == chart.writeback().resource_id for one in service.ehr.qa(ehr, "writes"))


def use(service: Service, chart: OpenChart) -> FHIRTransport:
    launch = chart.launch()
    return service.parts.ehrs.under_grant_of(launch.tenant_id, launch.launch_id)


def read_patient(service: Service, chart: OpenChart) -> str:
    transport = use(service, chart)
    return str(transport.read("Patient", chart.launch().patient.removeprefix("Patient/")).resource["id"])


# --- renewing -------------------------------------------------------------------------------------------------------


def test_twenty_workers_renew_once_and_all_go_on_under_the_new_pair(service: Service) -> None:
    """A48: this server ends the whole family when a refresh token is used twice."""
    chart = service.open_chart(ehr="reference")
    soon_over(service)
    before = issued(service)

    answers = at_once(*(lambda: read_patient(service, chart) for _ in range(20)))

    assert failures(answers) == []
    assert issued(service) == before + 1
    assert story(service, chart) == ["launch:completed", "launch:grant:renewed"]
    assert not known_at_the_ehr(service, tokens_of(service, chart).access_token)["revoked"]


def test_the_new_pair_is_stored_before_anybody_has_it(service: Service) -> None:
    """A48, A50: a crash right after costs nothing; the old refresh token is gone, the new one is in its place."""
    chart = service.open_chart(ehr="reference")
    old = tokens_of(service, chart)
    soon_over(service)

    transport = use(service, chart)

    new = tokens_of(service, chart)
    assert transport._token.value == new.access_token != old.access_token
    assert new.refresh_token not in (None, old.refresh_token)
    assert stored(service, chart).renewals == 1


def test_a_refresh_token_that_is_not_replaced_stays(service: Service) -> None:
    """A50: Epic's documented answer has none."""
    chart = service.open_chart()
    old = tokens_of(service, chart)
    for _ in range(2):
        soon_over(service)
        read_patient(service, chart)

    new = tokens_of(service, chart)
    assert (new.refresh_token, new.access_token != old.access_token) == (old.refresh_token, True)


def test_a_worker_renews_and_files_after_the_first_token_has_ended(service: Service) -> None:
    """A47, F20: offline access is asked for, so the clinician may leave."""
    chart = service.signed(ehr="reference")
    assert "offline_access" in chart.launch().scopes.split()
    soon_over(service)

    service.work()

    assert chart.writeback().stage is Stage.VERIFIED
    assert notes_filed(service, chart) == 1


@pytest.mark.parametrize(("asked", "scope"), [("online", "online_access"), ("none", "")])
def test_a_tenant_says_how_long_access_may_last(service: Service, asked: str, scope: str) -> None:
    """A47."""
    service.change_tenant("reference-hospital", background_access=asked)
    granted = service.open_chart(ehr="reference").launch().scopes.split()
    assert {"offline_access", "online_access"} & set(granted) == ({scope} if scope else set())


def test_a_logout_at_the_ehr_parks_what_is_not_yet_filed(service: Service) -> None:
    """A47, F21: online access dies with the EHR's session; finish or park."""
    service.change_tenant("reference-hospital", background_access="online")
    chart = service.signed(ehr="reference", patient="Cho, Raymond")
    service.ehr.arm("reference", interaction="refresh", fault="token_expired_refresh")
    soon_over(service)

    service.work()

    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "reauth")
    assert "Start Countersign again from this chart" in chart.status()["html"]
    service.open_chart(ehr="reference", patient="Cho, Raymond")
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED


def test_without_a_refresh_token_the_clinician_signs_in_again(service: Service) -> None:
    """A47."""
    service.change_tenant("reference-hospital", background_access="none")
    chart = service.open_chart(ehr="reference")
    soon_over(service)
    with pytest.raises(NeedsSignIn):
        use(service, chart)


# --- failures -------------------------------------------------------------------------------------------------------


def test_invalid_grant_ends_the_grant_for_good(service: Service) -> None:
    """A51."""
    chart = service.open_chart(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault="token_invalid_grant", times=1)

    for _ in range(2):
        with pytest.raises(NeedsSignIn):
            use(service, chart)

    assert stored(service, chart).ended_for == "invalid_grant"
    assert story(service, chart) == ["launch:completed", "launch:grant:ended"]


def test_invalid_client_pages_the_operator_and_waits_visibly(service: Service) -> None:
    """A51: our key or secret is wrong, and the signer has done nothing wrong."""
    chart = service.signed(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault="token_invalid_client", times=1)

    with capture_logs() as lines:
        service.work()

    paged = [line for line in lines if line["log_level"] == "critical"]
    assert [(line["event"], line["tenant"], line["code"]) for line in paged] == [
        ("client_refused", "reference-hospital", "invalid_client")
    ]
    assert chart.writeback().stage is Stage.QUEUED
    assert write_story(service, chart) == ["writeback:queued", "writeback:attempt:postponed"]
    assert "does not accept Countersign itself" in chart.status()["html"]
    assert not stored(service, chart).ended_for

    time_passes_for_us_alone(service)
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED


def test_a_reading_page_says_that_the_ehr_refuses_us_and_not_the_clinician(service: Service) -> None:
    """A51."""
    chart = service.open_chart(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault="token_invalid_client", times=1)
    with pytest.raises(ClientRefused):
        use(service, chart)


def test_a_lost_answer_is_asked_for_once_more(service: Service) -> None:
    """A51: the server had done nothing; the second request has an assertion of its own, which the server would refuse
    if it were the first one's (A55).
    """
    chart = service.open_chart(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault="drop_connection", times=1)

    read_patient(service, chart)

    assert story(service, chart)[-1] == "launch:grant:renewed"


@pytest.mark.parametrize(
    ("fault", "times", "reason"), [("drop_connection", 2, "unanswered"), ("commit_then_drop", 1, "invalid_grant")]
)
def test_after_a_second_lost_answer_or_a_token_used_up_the_clinician_signs_in_again(
    service: Service, fault: str, times: int, reason: str
) -> None:
    """A51, F19: never a third request."""
    chart = service.open_chart(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault=fault, times=times)

    with pytest.raises(NeedsSignIn):
        use(service, chart)

    assert stored(service, chart).ended_for == reason


def test_a_server_that_is_away_ends_nothing(service: Service) -> None:
    """A51: whoever comes later asks again."""
    chart = service.signed(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault="answer_502", times=1)

    with pytest.raises(NotRenewed):
        use(service, chart)
    time_passes_for_us_alone(service)
    service.work()

    assert chart.writeback().stage is Stage.VERIFIED


@pytest.mark.parametrize(
    ("fault", "options", "reason"),
    [
        ("token_other_patient", {}, "patient_changed"),
        ("token_changed", {"scope": "openid user/Patient.rs"}, "scope_narrowed"),
    ],
)
def test_a_grant_that_the_ehr_changed_is_not_used(
    service: Service, fault: str, options: dict[str, str], reason: str
) -> None:
    """A52: the write stops for its signer, nothing is read or sent under the changed grant, and it is given back."""
    chart = service.signed(ehr="reference")
    soon_over(service)
    service.ehr.arm("reference", interaction="refresh", fault=fault, times=1, options=options)

    service.work()

    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "reauth")
    assert stored(service, chart).ended_for == reason
    new = tokens_of(service, chart).access_token
    service.parts.giving_back.sweep()
    assert stored(service, chart) is None
    assert known_at_the_ehr(service, new)["revoked"]


def test_a_renewal_that_names_another_user_ends_the_grant(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A45, A52: OIDC Core 12.2; an id_token of the same user changes nothing, one of somebody else ends it."""
    handed_out: list[object] = []
    verify = IDTokens.verify

    def watched(self: IDTokens, token: object, *rest: Any, **named: Any) -> Any:
        handed_out.append(token)
        return verify(self, token, *rest, **named)

    monkeypatch.setattr(IDTokens, "verify", watched)
    chart = service.open_chart(ehr="reference")
    for subject, ended_for in ((chart.launch().subject, ""), ("somebody-else", "user_changed")):
        with service.parts.database.write() as tx:
            mine = launches.c.launch_id == chart.launch().launch_id
            tx.execute(update(launches).where(mine).values(subject=subject))
        soon_over(service)
        options = {"id_token": handed_out[0]}
        service.ehr.arm("reference", interaction="refresh", fault="token_changed", times=1, options=options)
        with nullcontext() if not ended_for else pytest.raises(NeedsSignIn):
            use(service, chart)
        assert stored(service, chart).ended_for == ended_for
    assert len(handed_out) == 3


def test_a_token_is_not_renewed_at_another_address(service: Service) -> None:
    """A48: the refresh token belongs to the EHR that gave it."""
    chart = service.signed(ehr="reference")
    soon_over(service)
    before = issued(service)
    service.change_tenant("reference-hospital", fhir_base=f"{service.ehr.origin}/elsewhere/fhir")

    service.work()

    assert chart.writeback().parked_for == "address_changed"
    assert issued(service) == before


# --- 401 and 403 ----------------------------------------------------------------------------------------------------


def test_a_read_that_is_refused_for_its_token_is_renewed_and_sent_once_more(service: Service) -> None:
    """A67."""
    chart = service.open_chart(ehr="reference")
    before = issued(service)
    service.ehr.arm("reference", interaction="read", fault="token_expired", times=1)

    assert read_patient(service, chart)
    assert issued(service) == before + 1


def test_a_second_refusal_stops_it(service: Service) -> None:
    """A67: however often the EHR says 401, one renewal and one more request."""
    chart = service.open_chart(ehr="reference")
    before = issued(service)
    service.ehr.arm("reference", interaction="read", fault="token_expired", times=None)
    transport = use(service, chart)

    for _ in range(3):
        with pytest.raises(TokenRefused):
            transport.read("Patient", chart.launch().patient.removeprefix("Patient/"))

    assert issued(service) == before + 1


def test_threads_of_one_chart_that_are_refused_together_renew_once(service: Service) -> None:
    """A48, A67: a chart is read by several requests at once."""
    chart = service.open_chart(ehr="reference")
    before = issued(service)
    service.ehr.arm("reference", interaction="search", fault="token_expired", times=4)

    assert chart.draft().status_code == 303

    assert chart.note() is not None
    assert issued(service) <= before + 1


def test_403_is_not_renewed(service: Service) -> None:
    """A67: the right is missing, not the token."""
    chart = service.open_chart(ehr="reference")
    before = issued(service)
    service.ehr.arm("reference", interaction="read", fault="answer_403", times=1)
    with pytest.raises(NotAuthorized):
        read_patient(service, chart)
    assert issued(service) == before


def test_a_note_that_was_refused_for_its_token_goes_again_as_an_attempt_of_its_own(service: Service) -> None:
    """A67, F18: each attempt is in the log before it leaves, and the note is in the chart once."""
    chart = service.signed(ehr="reference")
    service.ehr.arm("reference", interaction="create", fault="token_expired", resource_type="DocumentReference")

    service.work()

    assert chart.writeback().stage is Stage.VERIFIED
    assert write_story(service, chart)[1:5] == [
        "writeback:attempt:begun",
        "writeback:attempt:postponed",
        "writeback:attempt:begun",
        "writeback:filed",
    ]
    assert notes_filed(service, chart) == 1
    assert story(service, chart)[-1] == "launch:grant:renewed"


def test_a_note_that_is_refused_under_the_new_token_too_waits_for_its_signer(service: Service) -> None:
    """A67, F18: bounded, for the note and for its Provenance."""
    chart = service.signed(ehr="reference", patient="Cho, Raymond")
    before = issued(service)
    service.ehr.arm("reference", interaction="create", fault="token_expired", times=None)

    service.work()

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "reauth", 2)
    assert issued(service) == before + 1

    service.ehr.clear_faults("reference")
    service.ehr.arm("reference", interaction="create", fault="token_expired", times=1, resource_type="Provenance")
    service.open_chart(ehr="reference", patient="Cho, Raymond")
    service.work()
    assert chart.writeback().provenance_settled
    assert write_story(service, chart)[-1] == "writeback:provenance:filed"


def test_a_note_whose_token_cannot_be_renewed_just_now_is_postponed_and_not_parked(service: Service) -> None:
    """A51, A67."""
    chart = service.signed(ehr="reference")
    service.ehr.arm("reference", interaction="create", fault="token_expired", times=1)
    service.ehr.arm("reference", interaction="refresh", fault="answer_502", times=1)

    service.work()
    assert chart.writeback().stage is Stage.QUEUED
    service.clock.advance(seconds=30)
    service.work()

    assert chart.writeback().stage is Stage.VERIFIED
    assert notes_filed(service, chart) == 1


# --- whose grant ----------------------------------------------------------------------------------------------------


def signer(launch: Any) -> Signer:
    return Signer(launch.issuer, launch.subject, launch.fhir_user, launch.patient, launch.fhir_base)


def test_only_the_signers_own_launch_opens_the_door_for_a_note(service: Service) -> None:
    """A63, F19, F21, I6: another person, another chart or another EHR does not, and no token is handed out."""
    chart = service.open_chart(ehr="reference")
    launch = chart.launch()
    own = signer(launch)
    door = service.parts.ehrs.under_signers_grant
    assert isinstance(door(REFERENCE, launch.launch_id, own), SignersTransport)

    for changed in (
        {"subject": "somebody-else"},
        {"issuer": "https://elsewhere.example"},
        {"fhir_user": "Practitioner/somebody-else"},
        {"patient": "Patient/another"},
    ):
        with pytest.raises(Corrupt):
            door(REFERENCE, launch.launch_id, replace(own, **changed))
    with pytest.raises(AddressChanged):
        door(REFERENCE, launch.launch_id, replace(own, fhir_base="https://elsewhere.example/fhir"))
    with pytest.raises(Corrupt):
        door(HARBOR, launch.launch_id, own)


def test_no_transport_but_the_signers_files_a_note(service: Service) -> None:
    """A63, F21, I6: at run time; nothing is sent."""
    chart = service.open_chart(ehr="reference")
    before = len(service.ehr.qa("reference", "writes"))
    adapter, reading = service.parts.ehrs.adapter(REFERENCE), use(service, chart)
    with pytest.raises(NotTheSigners):
        adapter.send(reading, Write("DocumentReference", "create", b"{}"))  # type: ignore[arg-type]
    with pytest.raises(NotTheSigners):
        adapter.create_provenance(reading, b"{}")  # type: ignore[arg-type]
    assert len(service.ehr.qa("reference", "writes")) == before


@pytest.mark.parametrize("adapter", [VendorAdapter, FHIRR4, Epic])
def test_the_types_say_so_too(adapter: type) -> None:
    """A63: mypy refuses any other transport where a note or its Provenance is filed, with every adapter."""
    for name in ("send", "create_provenance"):
        signature = inspect.signature(getattr(adapter, name))
        assert signature.parameters["transport"].annotation == "SignersTransport"


def test_one_place_makes_the_transport_that_files(service: Service) -> None:
    """A63: in the whole app, and it asks for the signer."""
    makers = {
        str(path.relative_to(ROOT))
        for room in ("app", "launch", "vendors")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("SignersTransport", "FHIRTransport")
    }
    assert makers == {"app/tenants/ehr.py"}
    hints = typing.get_type_hints(type(service.parts.ehrs).under_signers_grant)
    assert (hints["signer"], hints["return"]) == (Signer, SignersTransport)


def test_a_token_with_a_system_scope_opens_no_chart(service: Service) -> None:
    """A63: such a token is nobody's own."""
    client = service.browser()
    url = service.authorize(client, "reference")
    scope = "launch openid fhirUser user/*.cruds system/DocumentReference.c"
    service.ehr.arm("reference", interaction="token", fault="token_changed", times=1, options={"scope": scope})

    answer = service.callback(client, url)

    assert answer.status_code == 502
    assert "token_exchange_failed" in answer.text


# --- signing out and giving back ------------------------------------------------------------------------------------


def test_signing_out_ends_the_launch_at_once_and_gives_its_tokens_back(service: Service) -> None:
    """A53: revoked at the EHR, erased here, and each step is in the log."""
    chart = service.open_chart(ehr="reference")
    chart.draft()
    tokens = tokens_of(service, chart)

    page = chart.post("/end")
    assert page.status_code == 200
    assert "You are signed out" in page.text
    assert "still being filed" not in page.text
    assert "Max-Age=0" in page.headers["Set-Cookie"]
    assert chart.get("/").status_code == 401

    sweep_once(service.parts)
    assert stored(service, chart) is None
    assert known_at_the_ehr(service, tokens.access_token)["revoked"]
    assert story(service, chart) == ["launch:completed", "launch:ended", "launch:grant:returned"]


def test_what_was_signed_is_filed_after_signing_out_and_then_the_tokens_go(service: Service) -> None:
    """A53: the page says so."""
    chart = service.signed(ehr="reference")
    assert "One signed note is still being filed in Reference EHR" in chart.post("/end").text
    tokens = tokens_of(service, chart)

    sweep_once(service.parts)
    assert tokens_of(service, chart) == tokens
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    sweep_once(service.parts)

    assert stored(service, chart) is None
    assert known_at_the_ehr(service, tokens.access_token)["revoked"]


def test_signing_out_needs_a_page_of_ours(service: Service) -> None:
    """A53: nobody else can sign a clinician out."""
    chart = service.drafted(ehr="reference")
    assert chart.post("/end", origin="https://elsewhere.example").status_code == 403
    assert chart.post("/end", token="forged").status_code == 403
    assert chart.get("/").status_code == 200
    assert 'action="/charts/' + chart.launch_id + '/end"' in chart.get("/").text


def test_a_signed_out_browser_is_told_so(service: Service) -> None:
    """A53."""
    chart = service.drafted(ehr="reference")
    secret = next(cookie for cookie in [chart.client.get_cookie(f"__Host-countersign-{chart.launch_id}", path="/")])
    chart.post("/end")
    if secret is not None:
        chart.client.set_cookie(secret.key, secret.value, secure=True)
    answer = chart.get("/")
    assert answer.status_code == 401
    assert "signed out" in answer.text


def test_an_expired_launch_gives_its_tokens_back(service: Service) -> None:
    """A53: nobody has to press a button."""
    chart = service.open_chart(ehr="athenaone")
    tokens = tokens_of(service, chart)
    service.clock.advance(hours=service.parts.settings.launch_hours)

    service.parts.giving_back.sweep()

    assert stored(service, chart) is None
    assert known_at_the_ehr(service, tokens.access_token, "athenaone")["revoked"]


def test_a_revocation_that_fails_is_tried_a_few_times_and_then_the_tokens_are_erased(service: Service) -> None:
    """A53: an EHR that does not answer keeps no token alive here."""
    chart = service.open_chart(ehr="reference")
    chart.post("/end")
    service.ehr.arm("reference", interaction="revoke", fault="answer_500", times=None)

    with capture_logs() as lines:
        for _ in range(MOST_TRIES - 1):
            service.parts.giving_back.sweep()
            assert stored(service, chart) is not None
            service.parts.giving_back.sweep()  # not before its time
            service.clock.advance(minutes=11)
        service.parts.giving_back.sweep()

    assert stored(service, chart) is None
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["grant_erased_unrevoked"]
    assert story(service, chart)[-1] == "launch:grant:returned"


def test_where_the_ehr_revokes_nothing_the_tokens_are_erased(service: Service) -> None:
    """A53: where there is no revocation endpoint."""
    chart = service.open_chart(ehr="reference")
    chart.post("/end")
    tokens, nowhere = tokens_of(service, chart), {"revocation_endpoint": None}
    service.ehr.arm("reference", interaction="discovery", fault="discovery_changed", times=None, options=nowhere)

    service.parts.giving_back.sweep()

    assert stored(service, chart) is None
    assert not known_at_the_ehr(service, tokens.access_token)["revoked"]


def test_ending_a_tenant_ends_its_launches_and_gives_its_grants_back(service: Service) -> None:
    """A53: offboarding; another tenant's launches go on."""
    idle, busy = service.open_chart(ehr="reference"), service.signed(ehr="reference", patient="Cho, Raymond")
    other = service.open_chart()
    tokens = tokens_of(service, idle)

    ended = service.parts.giving_back.end_tenant(REFERENCE, actor="cli:root")

    assert (ended.launches, ended.returned, ended.unfinished) == (2, 1, 1)
    assert known_at_the_ehr(service, tokens.access_token)["revoked"]
    assert stored(service, busy) is not None
    assert idle.get("/").status_code == 401
    assert other.get("/").status_code == 200
    service.work()
    service.parts.giving_back.sweep()
    assert stored(service, busy) is None


def test_two_sweepers_give_back_once(service: Service) -> None:
    """A53."""
    chart = service.open_chart(ehr="reference")
    chart.post("/end")

    answers = at_once(*(service.parts.giving_back.sweep for _ in range(4)))

    assert failures(answers) == []
    assert sum(answers) == 1
    assert story(service, chart).count("launch:grant:returned") == 1


def test_the_sweeper_forgets_launches_that_nobody_came_back_for(service: Service) -> None:
    client = service.browser()
    service.authorize(client, "reference")
    assert waiting(service) == 1
    service.clock.advance(minutes=11)
    sweep_once(service.parts)
    assert waiting(service) == 0


def waiting(service: Service) -> int:
    with service.parts.database.read() as tx:
        return len(tx.execute(select(launch_transactions)).all())


def test_no_grant_outlives_its_launch_by_more_than_a_week(service: Service) -> None:
    """A53: not even for a write that waits for an administrator."""
    chart = service.signed(ehr="reference")
    service.ehr.arm("reference", interaction="create", fault="answer_429", times=None, seconds=3600)
    service.work()
    chart.post("/end")
    service.parts.giving_back.sweep()
    assert stored(service, chart) is not None

    service.clock.advance(seconds=KEPT_AT_MOST.total_seconds() + 1)
    service.parts.giving_back.sweep()
    assert stored(service, chart) is not None, "our own assertion, a week ahead, is refused by the EHR: tried again"
    for _ in range(MOST_TRIES):
        service.clock.advance(minutes=11)
        service.parts.giving_back.sweep()
    assert stored(service, chart) is None
