"""Putting a tenant into service: its registration sheet, and the launch doctor."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.administrators.roles import Area
from app.onboarding.finding import Finding, Outcome
from app.onboarding.report import WORDS, Report
from app.pages.admin.doors import guard, visitor
from app.pages.admin.screens import DoctorScreen, FindingRow
from app.pages.admin.tenants import required_tenant
from app.pages.admin.words import moment
from app.pages.sessions import collaborators
from app.tenants.registrations import Tenant

admin_onboarding = Blueprint("admin_onboarding", __name__, url_prefix="/admin/tenants/<tenant_id>")
# Running the doctor changes nothing here; it is for those who find out why launches fail.
guard(admin_onboarding, {"sheet": Area.TENANTS, "doctor": Area.TENANTS, "run_doctor": Area.LAUNCHES})


@admin_onboarding.get("/sheet")
def sheet(tenant_id: str) -> ResponseReturnValue:
    """What to type into the vendor's console, made for paper too."""
    screen = collaborators().sheets.of(required_tenant(tenant_id).id)
    return render_template("admin/sheet.html", screen=screen, visitor=visitor())


@admin_onboarding.get("/doctor")
def doctor(tenant_id: str) -> ResponseReturnValue:
    """What the doctor will do, and the button."""
    return _page(required_tenant(tenant_id), None)


@admin_onboarding.post("/doctor")
def run_doctor(tenant_id: str) -> ResponseReturnValue:
    """Ask the EHR and ourselves, and show what has to be changed."""
    tenant = required_tenant(tenant_id)
    return _page(tenant, collaborators().doctor.diagnosis(tenant.id))


def _page(tenant: Tenant, report: Report | None) -> str:
    findings = report.findings if report else ()
    screen = DoctorScreen(
        tenant_id=tenant.id,
        organization=tenant.organization,
        ran_at=moment(report.ran_at) if report else "",
        ok=report is not None and report.ok,
        verdict=report.verdict if report else "",
        to_change=_rows(findings, Outcome.WRONG),
        advice=_rows(findings, Outcome.ADVICE),
        open=_rows(findings, Outcome.OPEN),
        fine=_rows(findings, Outcome.FINE),
        text=report.text() if report and report.concerns_the_vendor else "",
    )
    return render_template("admin/doctor.html", screen=screen, visitor=visitor())


def _rows(findings: tuple[Finding, ...], outcome: Outcome) -> tuple[FindingRow, ...]:
    return tuple(
        FindingRow(
            check=finding.check,
            words=WORDS[outcome],
            title=finding.title,
            found=finding.found,
            expected=finding.expected,
            change=finding.change,
            where=finding.where,
            because_of=finding.cause,
        )
        for finding in findings
        if finding.outcome is outcome
    )
