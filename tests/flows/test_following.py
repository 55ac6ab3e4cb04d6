"""What becomes of a filed note in the EHR afterwards: who may look, what is recorded, and what is never overwritten."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import delete, select, update

from app.administrators.roles import Role
from app.cli import reconcile as reconcile_command
from app.projections.tables import write_status
from app.reconciliation.tables import followed
from app.tenants.registrations import BackendReading, Callbacks
from app.tenants.tables import grants
from app.writebacks.handlers import load
from app.writebacks.state import Stage
from tests.ehr import RunningSandbox
from tests.flows.admin_browser import an_administrator
from tests.flows.test_changing import correct
from tests.flows.test_proposals import approve, opened, writes
from tests.flows.test_reconciling import our_notes, pass_time
from tests.flows.test_switches import turn
from tests.service import CLIENTS, OpenChart, Service

pytestmark = pytest.mark.either_database
EHR, TENANT = "reference", "reference-hospital"


@pytest.fixture(autouse=True)
def as_it_was(ehr: RunningSandbox) -> Iterator[None]:
    """What these tests do to charts, visits and patients is gone afterwards: others use the same EHR."""
    url = f"{ehr.local}/qa/{EHR}"
    mark = requests.post(f"{url}/backups", timeout=10).json()["mark"]
    yield
    requests.post(f"{url}/edits", json={"action": "restore_backup", "mark": mark}, timeout=10).raise_for_status()


@pytest.fixture
def chart(service: Service) -> OpenChart:
    """A note that was filed, read back, and has its Provenance."""
    opened = service.signed(ehr=EHR)
    service.work()
    assert opened.writeback().stage is Stage.VERIFIED
    return opened


def edit(service: Service, action: str, resource: str, **more: Any) -> None:
    """What a person does at the EHR."""
    body = {"action": action, "resource": resource, **more}
    reply = requests.post(f"{service.ehr.local}/qa/{EHR}/edits", json=body, timeout=10)
    assert reply.status_code == 201, reply.text


def place(chart: OpenChart) -> str:
    return f"DocumentReference/{chart.writeback().resource_id}"


def look(service: Service) -> int:
    """The next look of the sweeper, as if its time had come."""
    with service.parts.database.write() as tx:
        tx.execute(update(followed).where(followed.c.next_at.isnot(None)).values(next_at=service.clock()))
    return service.parts.following.sweep()


def writes_of(service: Service) -> int:
    return len(service.ehr.qa(EHR, "writes"))


def test_what_people_do_to_a_filed_note_is_recorded_and_never_undone(service: Service, chart: OpenChart) -> None:
    """F28, F43: edited, brought back, amended, invalidated, deleted; each with who did it and under whose right."""
    filed, patient = place(chart), chart.launch().patient
    before = writes_of(service)
    assert look(service) == 1
    assert chart.writeback().stage is Stage.VERIFIED  # nothing new, no event

    steps = [
        ("edit_text", {"text": "Another text."}, Stage.OVERRIDDEN, "edited", ("text",)),
        ("restore", {"version": 1}, Stage.VERIFIED, "", ()),
        ("amend", {"text": "Another text, amended."}, Stage.OVERRIDDEN, "amended", ("text", "docStatus")),
        ("restore", {"version": 1}, Stage.VERIFIED, "", ()),
        ("invalidate", {}, Stage.OVERRIDDEN, "invalidated", ("status",)),
        ("delete", {}, Stage.OVERRIDDEN, "deleted", ()),
        ("restore", {"version": 1}, Stage.VERIFIED, "", ()),
    ]
    who = service.ehr.qa(EHR, "resources/Practitioner")[0]["id"]
    for action, more, stage, change, differences in steps:
        edit(service, action, filed, by=who, **more)
        look(service)
        state = chart.writeback()
        assert (state.stage, state.change_there, state.differences) == (stage, change, differences), action
        assert state.read_under == "signer"
        if change and change != "deleted":
            assert state.changed_by == f"Practitioner/{who}", action
        version = state.version
        look(service)
        assert chart.writeback().version == version, f"{action}: the same news twice"
    assert chart.launch().patient == patient
    assert writes_of(service) == before


def test_a_note_is_followed_while_its_provenance_waits_for_somebody(service: Service) -> None:
    """F28, F44: what waits goes on when the note stands there again as it was signed."""
    chart = service.signed(ehr=EHR)
    turn(service, off=True, resource="Provenance", tenant=TENANT)
    service.work()
    version = chart.writeback().version
    look(service)
    assert (chart.writeback().parked_from, chart.writeback().version) == (Stage.VERIFIED, version)

    edit(service, "edit_text", place(chart), text="Another text.")
    look(service)
    state = chart.writeback()
    assert (state.stage, state.parked_from, state.parked_for) == (Stage.OVERRIDDEN, None, "")

    turn(service, off=False, resource="Provenance", tenant=TENANT)
    edit(service, "restore", place(chart), version=1)
    look(service)
    service.work()
    assert (chart.writeback().stage, chart.writeback().provenance_settled) == (Stage.VERIFIED, True)


def test_a_note_that_the_ehr_lost_is_missing_also_while_its_provenance_waits(service: Service) -> None:
    """F44."""
    chart = service.signed(ehr=EHR)
    turn(service, off=True, resource="Provenance", tenant=TENANT)
    service.work()
    edit(service, "lose", place(chart))
    look(service)
    look(service)
    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.MISSING, "")


def test_a_note_that_the_ehr_lost_is_missing_after_two_looks_and_restored_when_it_is_back(
    service: Service, chart: OpenChart
) -> None:
    """F44, I1: never sent again; a person decides."""
    mark = requests.post(f"{service.ehr.local}/qa/{EHR}/backups", timeout=10).json()["mark"]
    before = writes_of(service)
    edit(service, "lose", place(chart))
    look(service)
    assert chart.writeback().stage is Stage.VERIFIED
    look(service)
    assert chart.writeback().stage is Stage.MISSING
    look(service)
    service.work()
    assert (chart.writeback().stage, writes_of(service)) == (Stage.MISSING, before)
    edit(service, "restore_backup", "", mark=mark)


def test_a_note_that_a_person_brings_back_beside_its_remake_is_put_before_the_signer(service: Service) -> None:
    """F27, I1, I7: deleted before we could ask, so it was sent again; the deletion undone, it stands there twice."""
    chart = service.signed(ehr=EHR)
    service.ehr.arm(EHR, fault="commit_then_drop", interaction="create", resource_type="DocumentReference", times=1)
    known = our_notes(service, EHR)
    service.work()
    (first,) = set(our_notes(service, EHR)) - set(known)
    edit(service, "delete", f"DocumentReference/{first}")
    pass_time(service, 8, seconds=60)
    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 2)
    look(service)
    assert chart.writeback().stage is Stage.VERIFIED

    who = other_clinician(service, chart)
    edit(service, "restore", f"DocumentReference/{first}", version=1, by=who)
    look(service)
    state = chart.writeback()
    assert (state.stage, state.change_there, state.differences) == (Stage.OVERRIDDEN, "doubled", ())
    assert state.changed_by == f"Practitioner/{who}"
    assert "stands there twice" in chart.get("/note/stopped").text
    look(service)
    assert chart.writeback().version == state.version, "the same news twice"

    edit(service, "invalidate", f"DocumentReference/{first}")
    look(service)
    assert chart.writeback().stage is Stage.VERIFIED


def test_a_merged_patient_shows_on_the_note(service: Service) -> None:
    """F43: the note hangs on another chart now."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    service.work()
    edit(service, "merge_patient", chart.launch().patient, into=service.ehr.patient(EHR, "Nair, Priya"))
    look(service)
    state = chart.writeback()
    assert (state.stage, state.change_there) == (Stage.OVERRIDDEN, "merged")
    assert "patient" in state.differences


def test_a_patient_merged_before_the_note_was_filed_shows_although_the_note_is_as_signed(service: Service) -> None:
    """F43, I7: under the old id it says what was signed; the patient's own record says that it is another's now."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    edit(service, "merge_patient", chart.launch().patient, into=service.ehr.patient(EHR, "Nair, Priya"))
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    look(service)
    state = chart.writeback()
    assert (state.stage, state.change_there, state.differences) == (Stage.OVERRIDDEN, "merged", ())
    assert "still stands in the old record" in chart.get("/note/stopped").text
    look(service)
    assert chart.writeback().version == state.version, "the same news twice"


def test_a_note_in_doubt_is_not_sent_again_once_its_patient_was_merged(service: Service) -> None:
    """F43, I1, I3: it went with the patient into another chart, where a search in the old one does not show it."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    service.ehr.arm(EHR, fault="commit_then_drop", interaction="create", resource_type="DocumentReference", times=1)
    known = our_notes(service, EHR)
    service.work()
    edit(service, "merge_patient", chart.launch().patient, into=service.ehr.patient(EHR, "Nair, Priya"))
    pass_time(service, 8, seconds=60)
    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "conflict", 1)
    assert len(set(our_notes(service, EHR)) - set(known)) == 1


def test_who_reads_is_recorded_and_nobody_reads_without_a_right(service: Service, chart: OpenChart) -> None:
    """I6: the signer's grant, then the organisation's, then a visitor's; and where there is none, nothing is asked."""
    tenant = chart.launch().tenant_id

    def read_under() -> str:
        with service.parts.database.read() as tx:
            return str(tx.execute(select(followed.c.read_under)).scalar_one())

    look(service)
    assert read_under() == "signer"
    service.end_tokens()
    assert look(service) == 0
    visitor = service.open_chart(ehr=EHR, user=other_clinician(service, chart))
    assert look(service) == 1
    assert read_under() == f"launch:{visitor.launch_id}"

    known = next(one for one in service.ehr.qa(EHR, "clients") if one["client_id"] == CLIENTS[EHR])
    service.ehr.register_client(
        EHR, "countersign-reader", **{name: value for name, value in known.items() if name != "client_id"}
    )
    service.change_tenant(tenant, reading=BackendReading(client_id="countersign-reader"))
    try:
        edit(service, "edit_text", place(chart), text="Changed after everybody left.")
        assert look(service) == 1
        assert read_under() == "backend"
        assert chart.writeback().read_under == "backend"
    finally:
        service.ehr.forget_client(EHR, "countersign-reader")


def other_clinician(service: Service, chart: OpenChart) -> str:
    mine = chart.launch().fhir_user
    return next(
        one["id"] for one in service.ehr.qa(EHR, "resources/Practitioner") if f"Practitioner/{one['id']}" != mine
    )


# --- what the signer sees of it, and what ends it


def test_an_ending_needs_no_page_that_was_opened_before(service: Service, chart: OpenChart) -> None:
    """I7: what is on record counts, and not how far a page has read it."""
    edit(service, "edit_text", place(chart), text="<p>Changed by a colleague.</p>", by=other_clinician(service, chart))
    look(service)
    written = chart.note().state.signed.writeback_id
    with service.parts.database.write() as tx:
        tx.execute(delete(write_status).where(write_status.c.writeback_id == written))

    assert chart.post(f"/note/stopped/{written}", ending="accept").status_code == 303


def test_the_signer_reads_what_became_of_the_note_and_accepts_it(service: Service, chart: OpenChart) -> None:
    """F28, I7: what changed, who changed it, which version counts, what to do; one press ends it."""
    who = other_clinician(service, chart)
    edit(service, "edit_text", place(chart), text="<p>Changed by a colleague.</p>", by=who)
    look(service)

    assert 'href="note/stopped"' in chart.get("/note").text
    page = chart.get("/note/stopped").text
    for words in ("What changed?", f"names Practitioner/{who}", "nothing is overwritten", "Your own."):
        assert words in page
    assert page.index("Changed by a colleague.") < page.index(">What you signed<") < page.index("HISTORY OF PRESENT")

    written = chart.note().state.signed.writeback_id
    answer = chart.post(f"/note/stopped/{written}", ending="abandon")
    assert answer.status_code == 400  # not an ending of this one
    assert chart.post(f"/note/stopped/{'0' * 32}", ending="accept").status_code == 404
    assert chart.post(f"/note/stopped/{written}", ending="accept").status_code == 303
    state = chart.writeback()
    assert (state.stage, state.settled_as) == (Stage.SETTLED, "accepted")
    assert chart.post(f"/note/stopped/{written}", ending="accept").status_code == 400  # pressed twice
    edit(service, "edit_text", place(chart), text="Changed once more.")
    assert look(service) == 0  # nobody follows it any more
    assert "Nothing of this note waits for you" in chart.get("/note/stopped").text


def test_twins_in_the_chart_are_kept_and_wait_for_the_signer(service: Service) -> None:
    """F15, F27: neither is removed, nothing is sent, and what ends it is on the page."""
    opened = service.signed(ehr=EHR, patient="Cho, Raymond")
    service.ehr.arm(EHR, fault="answer_412", interaction="create", resource_type="DocumentReference", times=1)
    service.work()
    assert opened.writeback().stage is not Stage.FILED
    for _ in range(12):
        service.clock.advance(seconds=60)
        service.change_grants(expires_at=service.clock() + timedelta(hours=1))
        service.work()
    state = opened.writeback()
    assert (state.stage, state.parked_for) == (Stage.PARKED, "conflict")
    page = opened.get("/note/stopped").text
    for button in ("Look again", "It is in the chart", "Give it up"):
        assert button in page
    written = opened.note().state.signed.writeback_id
    assert opened.post(f"/note/stopped/{written}", ending="in_chart", reference="Mrs Cho").status_code == 400
    assert (
        opened.post(f"/note/stopped/{written}", ending="in_chart", reference="DocumentReference/5").status_code == 303
    )
    state = opened.writeback()
    assert (state.settled_as, state.settled_reference) == ("filed_by_hand", "DocumentReference/5")


# --- notices of the EHR


SECRET = "shared-with-the-ehr"


def notify(service: Service, tenant: str, body: dict[str, Any] | bytes, **changed: str) -> Any:
    """Post a notice as an EHR does; `at` and `secret` and `signature` let a test forge it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = changed.get("at") or str(int(service.clock().timestamp()))
    signed = hmac.new(changed.get("secret", SECRET).encode(), at.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-Signature-Timestamp": at, "X-Signature": changed.get("signature", f"sha256={signed}")}
    return service.browser().post(f"/api/v1/callbacks/{tenant}", base_url=service.origin, data=raw, headers=headers)


@pytest.fixture
def told(service: Service, chart: OpenChart, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tenant whose EHR signs its notices."""
    tenant = chart.launch().tenant_id
    service.parts.secrets.keep(service.parts.tenants.require(tenant), "notices", SECRET, "cli:test")
    service.change_tenant(tenant, callbacks=Callbacks(secret="sealed:notices"))
    return tenant


def test_a_notice_makes_its_resource_due_once_and_is_believed_in_nothing(
    service: Service, chart: OpenChart, told: str
) -> None:
    """F31: twice, late, out of order: each copy is answered and none is news."""
    notice = {
        "id": "event-1",
        "type": "DocumentReference.updated",
        "resource": place(chart),
        "version": "2",
        "occurred_at": service.clock().isoformat(),
        "comment": "a field that nobody here knows",
    }
    assert notify(service, told, notice).get_json() == {"taken": True, "new": True}
    assert service.parts.following.sweep() == 1
    assert chart.writeback().stage is Stage.VERIFIED  # the chart says what happened, not the notice

    spelled_anew = json.dumps(dict(reversed(notice.items())), indent=1).encode()
    for copy in (notice, spelled_anew):
        assert notify(service, told, copy).get_json() == {"taken": True, "new": False}
    assert service.parts.following.sweep() == 0
    earlier = notice | {"id": "event-0", "version": "1"}
    assert notify(service, told, earlier).get_json()["new"] is True
    assert service.parts.following.sweep() == 1
    elsewhere = notice | {"id": "event-2", "resource": "DocumentReference/nobody-knows"}
    assert notify(service, told, elsewhere).status_code == 202
    assert service.parts.following.sweep() == 0

    service.clock.advance(days=31)
    assert service.parts.notices.purge() == 3


def test_a_notice_that_is_not_signed_well_or_is_none_is_refused(service: Service, told: str) -> None:
    """F39: the clocks may differ by five minutes; a copy that was kept for longer is worth nothing."""
    now = int(service.clock().timestamp())
    notice = {"id": "e", "type": "t", "resource": "DocumentReference/1", "occurred_at": "2026-11-22T10:00:00+00:00"}
    assert notify(service, told, notice, at=str(now - 240)).status_code == 202
    assert notify(service, told, notice, at=str(now + 240)).status_code == 202
    refused = [
        notify(service, told, notice, secret="another"),
        notify(service, told, notice, signature=""),
        notify(service, told, notice, signature="sha256=" + "é" * 64),
        notify(service, told, notice, at=str(now - 600)),
        notify(service, told, notice, at=str(now + 600)),
        notify(service, told, notice, at="1e9"),
        notify(service, told, notice, at="9" * 12),
        notify(service, "harbor-epic", notice),  # sends none
        notify(service, "nobody", notice),
    ]
    assert {(answer.status_code, answer.get_json()["error"]) for answer in refused} == {(401, "not_signed")}
    unusable = [
        notify(service, told, b"{"),
        notify(service, told, b"[]"),
        notify(service, told, notice | {"id": ""}),
        notify(service, told, notice | {"id": "x" * 256}),
        notify(service, told, notice | {"resource": "https://elsewhere.example/DocumentReference/1"}),
        notify(service, told, notice | {"occurred_at": "2026-11-22T10:00:00"}),
        notify(service, told, notice | {"id": "\u0000"}),
        notify(service, told, b"x" * (17 * 1024)),
    ]
    assert [answer.status_code for answer in unusable] == [400] * len(unusable)


def test_the_interface_for_ehrs_is_described_as_it_is(service: Service, told: str) -> None:
    document = service.browser().get("/api/v1/openapi.json", base_url=service.origin).get_json()
    operation = document["paths"]["/api/v1/callbacks/{tenant_id}"]["post"]
    assert {"202", "400", "401", "429"} <= operation["responses"].keys()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) == {"id", "type", "resource", "occurred_at"}
    assert [one["name"] for one in operation["parameters"] if one["in"] == "header"] == [
        "X-Signature-Timestamp",
        "X-Signature",
    ]


def test_the_simulated_ehr_and_the_app_speak_of_the_same_notices(service: Service, chart: OpenChart, told: str) -> None:
    """F31, B23: doubled by the EHR, and it still finds what a person changed, sooner than the sweeper would."""
    url = f"{service.origin}/api/v1/callbacks/{told}"
    wanted = {"url": url, "secret": SECRET, "automatic": False}
    qa = f"{service.ehr.local}/qa/{EHR}/callbacks"
    assert requests.put(qa, json=wanted, timeout=10).status_code == 200
    try:
        service.ehr.arm(EHR, fault="callback_twice", interaction="callback")
        edit(service, "edit_text", place(chart), text="Changed in the EHR.")
        delivered = requests.post(f"{qa}/deliveries", timeout=10).json()["delivered"]
        assert [one["status"] for one in delivered] == [202, 202]
        assert service.parts.following.sweep() == 1
        assert chart.writeback().change_there == "edited"
    finally:
        requests.delete(qa, timeout=10)


# --- after a restore of our own database


def post_behind_our_back(service: Service, chart: OpenChart, payload: bytes) -> str:
    """The note reaches the chart although nobody here was told so; returns its id."""
    tenant = chart.launch().tenant_id
    with service.parts.database.read() as tx:
        grant = service.parts.grants.open(tx, tenant, chart.launch_id, service.clock())
    headers = {"Authorization": f"Bearer {grant.access_token}", "Content-Type": "application/fhir+json"}
    url = f"{service.ehr.local}/{EHR}/fhir/DocumentReference"
    reply = requests.post(url, data=payload, headers=headers, timeout=10)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def test_after_a_restore_nothing_is_sent_before_the_ehr_was_asked(service: Service) -> None:
    """F50, F08, I3: what this copy believes unsent was filed meanwhile; it is found, and not filed twice."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    tenant = service.parts.tenants.require(chart.launch().tenant_id)
    with service.parts.database.read() as tx:
        payload = service.parts.artifacts.open(tx, tenant.id, chart.writeback().queued.payload)
    filed = post_behind_our_back(service, chart, payload)
    forgotten = json.loads(payload)
    forgotten["identifier"] = [{"system": "urn:countersign:note", "value": "signed-after-the-backup"}]
    orphan = post_behind_our_back(service, chart, json.dumps(forgotten).encode())
    before = writes_of(service)

    assert service.parts.after_restore.begin(tenant, "cli:test") == 1
    assert service.parts.after_restore.begin(tenant, "cli:test") == 0  # said twice, it is doubted once
    scan = service.parts.after_restore.orphans(tenant)
    mine = [one for one in scan.orphans if one.resource == f"DocumentReference/{orphan}"]
    assert [(one.identifier, one.patient) for one in mine] == [("signed-after-the-backup", chart.launch().patient)]
    assert f"DocumentReference/{filed}" not in {one.resource for one in scan.orphans}

    for _ in range(8):
        service.work()
        service.clock.advance(seconds=40)
    state = chart.writeback()
    assert (state.resource_id, state.adopted, state.attempts, state.unclear) == (filed, True, 0, 0)
    assert writes_of(service) == before  # its Provenance waits for the switch too

    service.clock.ahead *= 0
    other = service.signed(ehr=EHR, patient="Nair, Priya")
    assert other.writeback().stage is Stage.AWAITING_COPY  # sending stays off until a person turns it on


def test_after_a_restore_an_absence_counts_only_from_when_the_write_was_doubted(service: Service) -> None:
    """F50, F26, I3: what was sent after the backup may still be executed, however long ago it was signed."""
    chart = service.signed(ehr=EHR, patient="Nair, Priya")
    tenant = service.parts.tenants.require(chart.launch().tenant_id)
    service.clock.advance(hours=1)
    with service.parts.database.write() as tx:
        tx.execute(update(grants).values(expires_at=service.clock() + timedelta(hours=1)))
    assert service.parts.after_restore.begin(tenant, "cli:test") == 1

    for _ in range(3):
        service.work()
        service.clock.advance(seconds=35)
    state = chart.writeback()
    assert (state.stage, state.absences) == (Stage.OUTCOME_UNKNOWN, 0)

    for _ in range(4):
        service.work()
        service.clock.advance(seconds=35)
    assert (chart.writeback().attempts, chart.writeback().parked_for) == (0, "switched_off")


def test_the_command_lists_what_is_not_at_its_end(
    service: Service, chart: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found of each write, as one JSON object; the exit code is 0 only when nothing waits."""
    tenant = chart.launch().tenant_id
    monkeypatch.setattr(reconcile_command, "wired", lambda: service.parts)
    runner = CliRunner()
    well = runner.invoke(reconcile_command.reconcile, [tenant, "--look", "--json"])
    assert (well.exit_code, json.loads(well.stdout)) == (0, {"tenant": tenant, "looked": 1, "writes": []})

    edit(service, "invalidate", place(chart))
    found = runner.invoke(reconcile_command.reconcile, [tenant, "--look", "--json"])
    writes = json.loads(found.stdout)["writes"]
    assert found.exit_code == 1
    assert [(one["stage"], one["change"], one["read_under"], one["endings"]) for one in writes] == [
        ("overridden", "invalidated", "signer", ["accept", "look_again"])
    ]


def test_operations_have_a_write_looked_at_again_and_give_it_up_only_with_a_ticket(service: Service) -> None:
    """I7: whoever keeps it running sees what stopped; what is in a chart is not theirs to say."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    service.end_tokens()
    service.work()
    assert chart.writeback().parked_for == "reauth"
    written, tenant = chart.note().state.signed.writeback_id, chart.launch().tenant_id
    operator = an_administrator(service, Role.OPERATIONS)
    page = operator.get("/ops/").text
    assert page.index(written) < page.index("It goes on when they start") < page.index("Stopped and waiting")
    url = f"/ops/writes/{tenant}/{written}"
    assert operator.post(url, {"ending": "in_chart"}).status_code == 400
    assert "Back to operations" in operator.post(url, {"ending": "abandon"}).text
    assert operator.post(url, {"ending": "abandon", "reference": "INC-7"}).location == "/ops/?done=ended"
    state = chart.writeback()
    assert (state.stage, state.settled_as, state.settled_reference) == (Stage.SETTLED, "abandoned", "INC-7")
    page = operator.get("/ops/?done=ended").text
    assert (written in page, "Given up." in page) == (False, True)
    service.open_chart(ehr=EHR, patient="Cho, Raymond")
    service.work()
    assert chart.writeback().stage is Stage.SETTLED


def test_a_correction_on_its_way_is_not_taken_for_somebody_elses_change(service: Service, chart: OpenChart) -> None:
    """F41: the EHR marks the original as replaced before the correction is read back."""
    first = chart.note().state.signed.writeback_id
    correct(chart)
    service.ehr.arm(EHR, fault="answer_500", interaction="read", resource_type="DocumentReference", times=None)
    service.work()
    assert chart.writeback().stage is Stage.FILED
    service.ehr.clear_faults(EHR)
    look(service)

    def original() -> Any:
        with service.parts.database.read() as tx:
            return load(tx, chart.launch().tenant_id, first)

    assert original().stage is Stage.VERIFIED
    pass_time(service, 3, seconds=60)
    assert (chart.writeback().stage, original().stage) == (Stage.VERIFIED, Stage.SUPERSEDED)


def test_structured_entries_are_followed_by_what_was_signed_of_them(service: Service) -> None:
    """F28: an amended diagnosis and a refuted allergy are overrides; a closed visit and a finished task are not."""
    chart = opened(service, patient="Cho, Raymond")
    approve(chart, "problem", "allergy", "visit_reason", "follow_up")
    assert chart.sign().status_code == 303
    pass_time(service, 3, seconds=1)
    before = writes(chart)
    assert {write.stage for write in before.values()} == {Stage.VERIFIED}

    places = {kind: f"{kind}/{write.resource_id}" for kind, write in before.items()}
    edit(service, "edit_text", places["Condition"], text="Another diagnosis")
    edit(service, "invalidate", places["AllergyIntolerance"])
    edit(service, "close_encounter", places["Encounter"])
    task = next(one for one in service.ehr.qa(EHR, "resources/Task") if f"Task/{one['id']}" == places["Task"])
    service.ehr.edit(EHR, "Task", task | {"status": "completed"})
    look(service)
    found = {kind: (write.stage, write.change_there) for kind, write in writes(chart).items()}
    assert found == {
        "Condition": (Stage.OVERRIDDEN, "amended"),
        "AllergyIntolerance": (Stage.OVERRIDDEN, "invalidated"),
        "Encounter": (Stage.VERIFIED, ""),
        "Task": (Stage.VERIFIED, ""),
    }
    page = chart.get("/note/stopped").text
    assert "Problem: Chronic cough" in page
    assert page.count("I looked, and it is right") == 2
