"""The launch doctor against the real sandbox: one thing wrong at a time, and the doctor names that one first.

One kind of database is enough here: the doctor reads two tables and writes none. `test_onboarding_pages.py` runs it on
both.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from app.onboarding.failed_launches import CAUSES
from app.onboarding.finding import Check, Finding, Outcome
from app.onboarding.report import Report
from app.tenants.tables import launch_traces
from launch.errors import LaunchError
from tests.databases import directory
from tests.ehr import RunningSandbox
from tests.flows.misconfigurations import SEEDS, Seeded, trace
from tests.service import CLIENTS, SECRET, TENANTS, Service


@pytest.fixture
def migrated_url(migrated_sqlite: Path) -> Iterator[str]:
    with directory("sqlite") as folder:
        yield f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'test.db')}"


@pytest.fixture
def ehr(ehr: RunningSandbox) -> Iterator[RunningSandbox]:
    """The simulated EHRs, with every app as the clients file has it."""
    yield ehr
    for name, client_id in CLIENTS.items():
        requests.delete(f"{ehr.local}/qa/{name}/clients/{client_id}", timeout=10)


def diagnosed(service: Service, ehr: str) -> Report:
    return service.parts.doctor.diagnosis(TENANTS[ehr])


def findings(report: Report) -> list[Finding]:
    """What the doctor finds fault with, in its order."""
    return [finding for finding in report.findings if finding.outcome in (Outcome.WRONG, Outcome.ADVICE)]


@pytest.mark.parametrize("seeded", SEEDS, ids=lambda seeded: seeded.what)
def test_the_doctor_names_the_cause_first(service: Service, seeded: Seeded) -> None:
    """A04, A06, A29, A54, A57, A59, E06, E15: one thing is wrong, and the first finding is that thing."""
    seeded.seed(service, seeded.ehr)

    report = diagnosed(service, seeded.ehr)

    first = findings(report)[0]
    assert (first.check, first.outcome) == (seeded.check, seeded.outcome), "\n".join(report.lines())
    assert seeded.where in first.where, first.where
    assert first.found
    assert first.expected
    assert first.change
    assert first.because_of is None
    assert report.ok is (seeded.outcome is Outcome.ADVICE)
    # Whatever else fails is its consequence, and says so.
    others = [finding for finding in report.failed if finding is not first]
    assert [finding.check for finding in others if finding.because_of is None] == [], "\n".join(report.lines())


@pytest.mark.parametrize("ehr_name", ["epic", "reference"])
def test_a_healthy_tenant_has_no_finding(service: Service, ehr_name: str) -> None:
    """A54, A59: before the first launch and after it."""
    assert findings(diagnosed(service, ehr_name)) == []

    service.open_chart(ehr=ehr_name)

    report = diagnosed(service, ehr_name)
    assert findings(report) == []
    assert report.verdict == "Nothing has to be changed."
    assert [finding.check for finding in report.findings if finding.outcome is Outcome.OPEN] == [Check.COOKIES]


def test_each_endpoint_is_probed_once(service: Service) -> None:
    """E26: a doctor that is run often is no burden, and nothing is signed in or filed by it."""
    before = service.ehr.qa("epic", "requests")

    diagnosed(service, "epic")

    # The EHR remembers the newest requests only, so what is new is what was not there before.
    asked = [one["interaction"] for one in service.ehr.qa("epic", "requests") if one not in before]
    assert sorted(asked) == ["authorize", "discovery", "jwks", "metadata", "token"]
    assert not service.ehr.qa("epic", "writes")


def test_the_doctor_leaves_no_launch_behind(service: Service) -> None:
    """The error page that it asks of ourselves is no clinician's failed launch."""
    diagnosed(service, "epic")

    with service.parts.database.read() as tx:
        assert tx.execute(select(launch_traces)).all() == []


def test_every_launch_error_has_its_cause_in_words() -> None:
    def codes(kind: type[LaunchError]) -> set[str]:
        return {kind.code}.union(*(codes(one) for one in kind.__subclasses__()))

    assert codes(LaunchError) <= CAUSES.keys()


def test_a_sign_in_page_proves_nothing_and_the_doctor_says_so(service: Service) -> None:
    """An EHR that asks for a password first answers the same for any client id."""
    service.ehr.arm("epic", fault="answer_empty", interaction="authorize", times=None)

    report = diagnosed(service, "epic")

    untold = {finding.check: finding for finding in report.findings if finding.outcome is Outcome.OPEN}
    assert {Check.CLIENT_ID, Check.REDIRECT_URI} <= untold.keys()
    assert "proves nothing" in untold[Check.REDIRECT_URI].change
    assert report.ok


def test_a_failure_that_was_repaired_since_is_only_advice(service: Service) -> None:
    """A06: the EHR's configuration was refused once, and is in order now."""
    trace("discovery_refused")(service, "epic")

    report = diagnosed(service, "epic")

    assert report.ok
    (only,) = findings(report)
    assert (only.check, only.outcome) == (Check.RECENT_LAUNCHES, Outcome.ADVICE)
    assert "Launch once more" in only.change


def test_a_failure_before_the_last_completed_launch_is_over(service: Service) -> None:
    trace("authorization_denied", ago=30)(service, "epic")
    service.open_chart()

    assert findings(diagnosed(service, "epic")) == []


def test_what_follows_from_a_wrong_clock_is_marked_as_its_consequence(service: Service) -> None:
    """A57: the EHR refuses a proof from the future, and the doctor does not send anybody after the key."""
    service.clock.advance(minutes=10)

    report = diagnosed(service, "epic")

    assert [(one.check, one.because_of) for one in report.failed] == [
        (Check.CLOCK, None),
        (Check.CLIENT_AUTHENTICATION, Check.CLOCK),
    ]
    assert report.verdict == "One thing has to be changed. 1 more follows from that."
    assert "10 minutes ahead of the EHR" in report.failed[0].found


def test_two_causes_are_both_causes(service: Service) -> None:
    service.change_tenant("harbor-epic", client_id="mistyped", frame_origins=("https://*.example",))

    causes = [one.check for one in diagnosed(service, "epic").failed if one.because_of is None]

    assert causes == [Check.FRAME_ORIGINS, Check.CLIENT_ID]


@pytest.mark.parametrize("ehr_name", ["epic", "athenaone"])
def test_the_text_for_the_vendor_helps_and_holds_no_secret(service: Service, ehr_name: str) -> None:
    """E21: neither a secret nor a key, neither a patient nor a user, and no address of one launch."""
    service.open_chart(ehr=ehr_name)
    service.change_tenant(TENANTS[ehr_name], client_id="mistyped")

    report = diagnosed(service, ehr_name)

    text = report.text()
    assert "mistyped" in text
    assert f"{service.origin}/callback/{TENANTS[ehr_name]}" in text
    assert "Countersign cannot be launched" in text
    patient = service.ehr.patient(ehr_name, "Rivera, Ana")
    whole = text + json.dumps(report.document(), default=str) + "\n".join(report.lines())
    for secret in (SECRET, "Rivera", patient, "Osei", "assertion=", "Bearer", "state=", "launch="):
        assert secret not in whole


def test_an_unregistered_issuer_is_found_only_on_this_tenants_host(service: Service) -> None:
    """A08: somebody else's stray launches are not this tenant's trouble."""
    trace("unknown_issuer", of_tenant=False, issuer="https://elsewhere.example/fhir")(service, "epic")

    assert findings(diagnosed(service, "epic")) == []


def test_a_write_that_only_metadata_offers_stays_off(service: Service) -> None:
    """A31: the EHR declares more than the profile; the doctor says so and switches nothing on."""
    resource = {"type": "DocumentReference", "interaction": [{"code": "create"}]}
    options = {"rest": [{"mode": "server", "resource": [resource]}]}
    service.ehr.arm("athenaone", fault="discovery_changed", interaction="metadata", times=None, options=options)

    drift = next(one for one in findings(diagnosed(service, "athenaone")) if one.check is Check.CAPABILITIES)

    assert "declares DocumentReference create" in drift.found
    assert not service.parts.ehrs.adapter("lakeside-athenaone").profile.supports("DocumentReference", "create")
