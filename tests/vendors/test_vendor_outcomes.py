from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from vendors import errors
from vendors.outcomes import (
    ANY_STATUS,
    RETRY_AFTER_CAP_SECONDS,
    STATUS_TABLE,
    Interaction,
    issue_codes,
    meaning,
    retry_after_seconds,
)

READS = (Interaction.READ, Interaction.SEARCH)
WRITES = tuple(one for one in Interaction if one not in READS)
NOT_APPLIED = (errors.Rejected, errors.Throttled)


def test_every_interaction_has_a_meaning_for_every_status() -> None:
    """C15: no default."""
    assert set(STATUS_TABLE) == set(Interaction)
    assert all(set(table) == set(ANY_STATUS) for table in STATUS_TABLE.values())


@pytest.mark.parametrize(
    ("status", "leaf"),
    [
        (200, None),
        (201, None),
        (202, None),
        (204, None),
        (301, errors.Rejected),
        (302, errors.OutcomeUnknown),
        (303, errors.OutcomeUnknown),
        (307, errors.Rejected),
        (400, errors.InvalidResource),
        (401, errors.TokenRefused),
        (403, errors.NotAuthorized),
        (404, errors.Rejected),
        (405, errors.Rejected),
        (406, errors.OutcomeUnknown),
        (408, errors.OutcomeUnknown),
        (409, errors.VersionConflict),
        (410, errors.Rejected),
        (412, errors.VersionConflict),
        (413, errors.InvalidResource),
        (415, errors.InvalidResource),
        (422, errors.InvalidResource),
        (423, errors.Throttled),
        (429, errors.Throttled),
        (499, errors.OutcomeUnknown),
        (500, errors.OutcomeUnknown),
        (501, errors.Rejected),
        (502, errors.OutcomeUnknown),
        (503, errors.OutcomeUnknown),
        (504, errors.OutcomeUnknown),
        (599, errors.OutcomeUnknown),
        (999, errors.OutcomeUnknown),
    ],
)
def test_what_a_status_means_for_a_create(status: int, leaf: type[errors.VendorError] | None) -> None:
    """C15."""
    assert meaning(Interaction.CREATE, status) is leaf


@pytest.mark.parametrize(
    ("status", "leaf"),
    [
        (200, None),
        (204, errors.Unavailable),
        (302, errors.Unavailable),
        (400, errors.Rejected),
        (401, errors.TokenRefused),
        (403, errors.NotAuthorized),
        (408, errors.Unavailable),
        (429, errors.Throttled),
        (500, errors.Unavailable),
        (501, errors.Rejected),
        (503, errors.Unavailable),
    ],
)
def test_what_a_status_means_for_a_read_and_a_search(status: int, leaf: type[errors.VendorError] | None) -> None:
    """C15."""
    assert {meaning(interaction, status) for interaction in READS} == {leaf}


def test_absence_is_not_found_on_a_read_and_a_refusal_on_a_search() -> None:
    assert meaning(Interaction.READ, 404) is errors.NotFound
    assert meaning(Interaction.READ, 410) is errors.NotFound
    assert meaning(Interaction.SEARCH, 404) is errors.Rejected


def test_a_read_never_leaves_an_unknown_outcome_and_a_write_is_never_merely_unavailable() -> None:
    for interaction in READS:
        assert errors.OutcomeUnknown not in STATUS_TABLE[interaction].values()
    for interaction in WRITES:
        assert errors.Unavailable not in STATUS_TABLE[interaction].values()


@pytest.mark.parametrize(
    ("interaction", "stale"), [(Interaction.UPDATE, (409, 412)), (Interaction.PATCH, (400, 409, 412, 422))]
)
def test_a_change_means_what_a_create_means_but_for_what_is_gone_or_has_changed(
    interaction: Interaction, stale: tuple[int, ...]
) -> None:
    """C11, C13, C15: a `test` that failed asks for another reading, however the server puts it."""
    create, change = STATUS_TABLE[Interaction.CREATE], STATUS_TABLE[interaction]
    expected = {404: errors.NotFound, 410: errors.NotFound} | dict.fromkeys(stale, errors.VersionConflict)
    assert {s: change[s] for s in ANY_STATUS} == {**create, **expected}


def test_no_server_error_on_a_write_counts_as_not_applied_except_501() -> None:
    """F11."""
    for table in (STATUS_TABLE[interaction] for interaction in WRITES):
        assert {s for s in range(500, 1000) if issubclass(table[s] or Exception, NOT_APPLIED)} == {501}


@pytest.mark.parametrize(
    ("code", "leaf"),
    [
        ("duplicate", errors.VersionConflict),
        ("conflict", errors.VersionConflict),
        ("throttled", errors.Throttled),
        ("lock-error", errors.Throttled),
        ("transient", errors.Throttled),
        ("timeout", errors.OutcomeUnknown),
        ("business-rule", errors.InvalidResource),
    ],
)
def test_an_issue_code_sharpens_a_422(code: str, leaf: type[errors.VendorError]) -> None:
    """C17."""
    assert {meaning(interaction, 422, [code]) for interaction in (Interaction.CREATE, Interaction.UPDATE)} == {leaf}


@pytest.mark.parametrize("code", ["duplicate", "throttled", "transient"])
def test_an_issue_code_never_softens_an_unknown_outcome(code: str) -> None:
    """C17."""
    assert meaning(Interaction.CREATE, 500, [code]) is errors.OutcomeUnknown


def test_only_known_codes_are_taken_from_an_outcome_and_none_of_its_text() -> None:
    """C17."""
    said = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "business-rule",
                "diagnostics": "Ana Rivera is already here",
                "details": {"text": "Ana Rivera", "coding": [{"code": "59189"}, {"code": "Ana"}]},
            },
            {"severity": "error", "code": "Rivera"},
            {"severity": "information", "code": "informational"},
            "not an issue",
        ],
    }
    assert issue_codes(said) == ("business-rule", "59189")


@pytest.mark.parametrize("odd", [None, [], "x", {"resourceType": "OperationOutcome", "issue": "x"}])
def test_an_odd_outcome_has_no_codes(odd: object) -> None:
    """C17."""
    assert issue_codes(odd) == ()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999999999999999999", RETRY_AFTER_CAP_SECONDS),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Thu, 31 Dec 2099 23:59:59 GMT", RETRY_AFTER_CAP_SECONDS),
        ("Thu, 99 Dec 2099 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_is_capped(said: str, seconds: float | None) -> None:
    """C16."""
    assert retry_after_seconds({"Retry-After": said}) == seconds


def test_a_retry_date_counts_from_the_servers_own_clock() -> None:
    """C16."""
    server_now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    until = server_now + timedelta(seconds=90)
    headers = {"Date": format_datetime(server_now), "Retry-After": format_datetime(until)}
    assert retry_after_seconds(headers) == 90.0
