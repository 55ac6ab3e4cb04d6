"""What the patient's own record says about a merge, as far as the reader may read it."""

from typing import Any, cast

import pytest

from app.reconciliation.witnesses import is_merged
from app.tenants.reading import Reader
from vendors import errors
from vendors.contract import Stored
from vendors.transport import FHIRTransport


class Answering:
    """A transport that gives one answer to a read of the patient."""

    def __init__(self, answer: dict[str, Any] | errors.VendorError) -> None:
        self.answer, self.asked = answer, 0

    def read(self, resource_type: str, resource_id: str) -> Stored:
        self.asked += 1
        if isinstance(self.answer, errors.VendorError):
            raise self.answer
        return Stored(self.answer, resource_id, None, None, b"")


def error(kind: type[errors.VendorError], status: int, *codes: str) -> errors.VendorError:
    return kind("ehr", "read Patient", status=status, issue_codes=codes)


@pytest.mark.parametrize(
    ("answer", "under", "said"),
    [
        ({"active": True}, "signer", False),
        ({}, "signer", False),
        ({"active": False}, "signer", True),
        ({"link": [{"type": "replaced-by"}]}, "signer", True),
        ({"link": [{"type": "replaces"}]}, "signer", False),
        (error(errors.NotFound, 404), "backend", True),
        (error(errors.NotFound, 410), "signer", True),
        (error(errors.NotFound, 404), "launch:x", None),
        (error(errors.Unavailable, 200, "other-resource"), "signer", True),
        (error(errors.Unavailable, 503), "signer", None),
        (error(errors.NotAuthorized, 403), "signer", None),
    ],
)
def test_a_patients_record_says_that_it_was_merged(
    answer: dict[str, Any] | errors.VendorError, under: str, said: bool | None
) -> None:
    """F43: closed, replaced, or gone; what a visitor is not shown says nothing."""
    transport = Answering(answer)
    reader = Reader(under, cast("FHIRTransport", transport), reads_patients=True)
    assert is_merged(reader, "Patient/1") is said


def test_a_grant_that_does_not_reach_the_patient_asks_nothing() -> None:
    """F43."""
    transport = Answering({"active": False})
    assert is_merged(Reader("signer", cast("FHIRTransport", transport), reads_patients=False), "Patient/1") is None
    assert transport.asked == 0
