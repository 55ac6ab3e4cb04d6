"""Which workflow a visit belongs to. Pure."""

from app.tenants.registrations import Tenant, VisitMatch, Workflow
from vendors.chart import Visit


def workflow_for(tenant: Tenant, visit: Visit | None) -> Workflow:
    """The first workflow with a line in `matches` that fits the visit; else the first listed.

    Within one line everything that it names must fit; of the lines of one workflow any one is enough.
    """
    if visit is None:
        return tenant.workflow
    fitting = (one for one in tenant.workflows if any(_fits(match, visit) for match in one.matches))
    return next(fitting, tenant.workflow)


def _fits(match: VisitMatch, visit: Visit) -> bool:
    return (
        match.encounter_class in ("", visit.class_coding)
        and (not match.service_type or match.service_type in visit.service_types)
        and (not match.type or match.type in visit.types)
    )
