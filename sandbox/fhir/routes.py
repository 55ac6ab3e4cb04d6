"""The FHIR REST surface: each URL is one interaction, and a vendor supports it or not."""

from collections.abc import Callable

from flask import Blueprint, Response

from sandbox.ehr import EHR
from sandbox.fhir.capability_statement import capability_statement
from sandbox.fhir.create import create
from sandbox.fhir.outcomes import Refused, refused_response
from sandbox.fhir.read import history, read, vread
from sandbox.fhir.replies import resource_response
from sandbox.fhir.search import search
from sandbox.fhir.update import delete, patch, update
from sandbox.qa.injection import with_faults

ITEM = "/<resource_type>/<resource_id>"
# URL, method, interaction, and what answers it
INTERACTIONS: tuple[tuple[str, str, str, Callable[..., Response]], ...] = (
    ("/<resource_type>", "GET", "search", search),
    ("/<resource_type>/_search", "POST", "search", search),
    ("/<resource_type>", "POST", "create", create),
    (ITEM, "GET", "read", read),
    (ITEM, "PUT", "update", update),
    (ITEM, "PATCH", "patch", patch),
    (ITEM, "DELETE", "delete", delete),
    (f"{ITEM}/_history", "GET", "history", history),
    (f"{ITEM}/_history/<version_id>", "GET", "vread", vread),
)


def fhir_routes(ehr: EHR) -> Blueprint:
    """Everything under the FHIR base."""
    routes = Blueprint("fhir", __name__, url_prefix=ehr.personality.fhir.path)

    @routes.get("/metadata")
    def metadata() -> Response:
        return with_faults("metadata", None, lambda: resource_response(ehr, capability_statement(ehr)))

    for number, (rule, method, interaction, answer) in enumerate(INTERACTIONS):
        view = _view(ehr, interaction, answer)
        routes.add_url_rule(rule, f"{interaction}_{number}", view, methods=[method])
    return routes


def _view(ehr: EHR, interaction: str, answer: Callable[..., Response]) -> Callable[..., Response]:
    def view(resource_type: str, **rest: str) -> Response:
        def proceed() -> Response:
            try:
                _require_support(ehr, resource_type, interaction)
                return answer(ehr, resource_type, **rest)
            except Refused as error:
                return refused_response(error)

        return with_faults(interaction, resource_type, proceed)

    return view


def _require_support(ehr: EHR, resource_type: str, interaction: str) -> None:
    supported = ehr.personality.fhir.resources.get(resource_type)
    if supported is None:
        raise Refused(404, "not-supported", f"This server has no {resource_type}.")
    if interaction not in supported:
        raise Refused(405, "not-supported", f"This server does not support {interaction} on {resource_type}.")
