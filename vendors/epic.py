"""Epic: where it differs from plain FHIR R4 beyond what `smart-config/vendors/epic.yaml` says as data."""

from __future__ import annotations

from typing_extensions import override

from vendors.contract import Receipt, Write
from vendors.errors import NotAuthorized
from vendors.fhir_r4 import FHIRR4
from vendors.transport import SignersTransport


class Epic(FHIRR4):
    """Epic's answers, read as its troubleshooting page explains them.

    Source: https://fhir.epic.com/Documentation?docId=troubleshooting (key E-TRB in the profile).
    """

    @override
    def send(self, transport: SignersTransport, write: Write) -> Receipt:
        """See VendorAdapter.send; a 403 says whose right is missing: the app's registration or the user's security."""
        try:
            return super().send(transport, write)
        except NotAuthorized as refusal:
            raise _attributed(refusal) from None


def _attributed(refusal: NotAuthorized) -> NotAuthorized:
    whose = "app-registration" if "empty-body" in refusal.issue_codes else "user-security"
    return NotAuthorized(
        refusal.vendor,
        refusal.operation,
        status=refusal.status,
        issue_codes=(*refusal.issue_codes, whose),
        correlation_id=refusal.correlation_id,
    )
