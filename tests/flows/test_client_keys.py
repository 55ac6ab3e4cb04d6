"""Our signing keys: rotated during launches, dropped when they leak, and never seen in the clear."""

from datetime import timedelta

import pytest
from joserfc.jwk import KeySet
from sqlalchemy import select

from app.errors import NotFound, Refused
from app.tenants.client_keys import LEAD, OVERLAP, ClientKeys
from app.tenants.tables import client_keys
from app.wiring import create_app
from tests.flows.conftest import EHR, Clinic

pytestmark = pytest.mark.either_database

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
CACHE = 300
JUST = timedelta(seconds=1)


@pytest.fixture
def keyed(clinic: Clinic) -> Clinic:
    clinic.register()
    clinic.tell_the_ehr()
    return clinic


def keys_of(clinic: Clinic) -> ClientKeys:
    return clinic.service.parts.client_keys


def signing(clinic: Clinic) -> str:
    tenant = clinic.service.parts.tenants.require(clinic.tenant_id)
    return keys_of(clinic).signer(tenant, clinic.service.clock()).key_id


def rotate(clinic: Clinic, **lead: float) -> str:
    tenant = clinic.service.parts.tenants.require(clinic.tenant_id)
    return keys_of(clinic).rotate(tenant, clinic.service.clock(), "admin:1", timedelta(**lead)).kid


def at(clinic: Clinic, seconds: float) -> None:
    """Set both clocks; the EHR keeps its copy of our keys for as long as we allow, and asks for no unknown one.

    All of it happens in the past: the EHR's chart, which begins a launch, goes by the real time.
    """
    seconds -= (LEAD + OVERLAP).seconds + CACHE
    clinic.service.clock.ahead = timedelta(seconds=seconds)
    clinic.service.ehr.clear_faults(EHR)
    clinic.service.ehr.arm(EHR, fault="clock_offset", seconds=seconds, times=None)
    clinic.service.ehr.arm(EHR, fault="stale_client_keys", seconds=CACHE, times=None)


def test_a_rotation_during_running_launches_breaks_none_of_them(keyed: Clinic) -> None:
    """A60: an EHR with a copy as old as we allow never meets an unknown key, before, at and after the switch."""
    at(keyed, 0)
    keyed.open_chart()
    first = signing(keyed)
    at(keyed, 1)
    second = rotate(keyed)
    used, switch, dropped = [], LEAD.seconds + 1, LEAD.seconds + OVERLAP.seconds + 1

    for moment in (2, CACHE - 5, CACHE + 5, switch - 5, switch + 5, switch + CACHE, dropped - 5, dropped + 5):
        browser = keyed.service.browser()
        at(keyed, max(moment - 10, 1))
        under_way = keyed.begin(browser)
        at(keyed, moment)
        keyed.finish(browser, under_way)
        used.append(signing(keyed))

    assert used == [first] * 4 + [second] * 4
    assert [key["kid"] for key in keyed.published(keyed.tenant_id)] == [second]


def test_the_old_key_is_published_for_a_cache_and_ten_minutes_after_the_switch(keyed: Clinic) -> None:
    """A60."""
    first = signing(keyed)
    second = rotate(keyed)
    assert {key["kid"] for key in keyed.published(keyed.tenant_id)} == {first, second}

    keyed.service.clock.ahead = LEAD + OVERLAP - timedelta(seconds=30)
    assert {key["kid"] for key in keyed.published(keyed.tenant_id)} == {first, second}
    keyed.service.clock.ahead = LEAD + OVERLAP + JUST
    assert {key["kid"] for key in keyed.published(keyed.tenant_id)} == {second}


def test_a_slow_ehr_can_be_given_more_time_and_never_less_than_its_cache_needs(keyed: Clinic) -> None:
    """A60."""
    first = signing(keyed)
    rotate(keyed, hours=2)
    keyed.service.clock.advance(hours=1, minutes=59)
    assert signing(keyed) == first
    keyed.service.clock.advance(minutes=2)
    second = signing(keyed)
    assert second != first

    rotate(keyed, seconds=1)
    keyed.service.clock.ahead += LEAD - timedelta(seconds=30)
    assert signing(keyed) == second


def test_every_process_notices_a_rotation(keyed: Clinic) -> None:
    """A60: no process signs on with a key that it remembers."""
    other = create_app(keyed.service.parts.settings, keyed.service.clock).extensions["countersign"]
    tenant = other.tenants.require(keyed.tenant_id)
    first = signing(keyed)
    assert other.client_keys.signer(tenant, keyed.service.clock()).key_id == first

    second = rotate(keyed)
    keyed.service.clock.ahead = LEAD + JUST

    assert other.client_keys.signer(tenant, keyed.service.clock()).key_id == second == signing(keyed)
    other.database.engine.dispose()


def test_one_rotation_at_a_time(keyed: Clinic) -> None:
    signing(keyed)
    rotate(keyed)
    with pytest.raises(Refused, match="published already"):
        rotate(keyed)
    keyed.service.clock.ahead = LEAD + JUST
    rotate(keyed)


def test_a_key_that_leaked_is_gone_at_once_and_the_next_launch_is_signed_by_another(keyed: Clinic) -> None:
    keyed.open_chart()
    leaked = signing(keyed)
    tenant = keyed.service.parts.tenants.require(keyed.tenant_id)

    keys_of(keyed).retire_key(tenant, leaked, keyed.service.clock(), "admin:1")

    assert signing(keyed) != leaked
    assert leaked not in {key["kid"] for key in keyed.published()}
    keyed.service.ehr.arm(EHR, fault="clock_offset", seconds=CACHE + 10, times=None)  # it asks for our keys again
    keyed.service.clock.advance(seconds=CACHE + 10)
    keyed.open_chart()
    with keyed.service.parts.database.read() as tx:
        row = tx.execute(select(client_keys).where(client_keys.c.kid == leaked)).one()
    assert (row.ciphertext, row.wrapped_key) == (b"", b"")
    with pytest.raises(NotFound):
        keys_of(keyed).retire_key(tenant, leaked, keyed.service.clock(), "admin:1")


def test_when_the_signing_key_leaks_during_a_rotation_the_waiting_one_signs_at_once(keyed: Clinic) -> None:
    leaked = signing(keyed)
    waiting = rotate(keyed)
    tenant = keyed.service.parts.tenants.require(keyed.tenant_id)
    keys_of(keyed).retire_key(tenant, leaked, keyed.service.clock(), "admin:1")
    assert signing(keyed) == waiting
    keyed.service.clock.advance(hours=1)
    assert [key["kid"] for key in keyed.published(keyed.tenant_id)] == [waiting]


def test_when_the_waiting_key_leaks_the_present_one_goes_on_without_an_end(keyed: Clinic) -> None:
    present = signing(keyed)
    leaked = rotate(keyed)
    tenant = keyed.service.parts.tenants.require(keyed.tenant_id)
    keys_of(keyed).retire_key(tenant, leaked, keyed.service.clock(), "admin:1")
    keyed.service.clock.advance(hours=1)
    assert signing(keyed) == present
    assert [key["kid"] for key in keyed.published(keyed.tenant_id)] == [present]


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_the_live_route_shows_no_private_member_of_any_key(clinic: Clinic, algorithm: str) -> None:
    """A56, A59."""
    clinic.register(authentication={"method": "private_key_jwt", "algorithm": algorithm})
    signing(clinic)
    rotate(clinic)
    for keys in (clinic.published(), clinic.published(clinic.tenant_id)):
        assert len(keys) >= 2
        assert not [key for key in keys if PRIVATE_MEMBERS & key.keys()]
        assert all({"kty", "kid", "alg", "use"} <= key.keys() for key in keys)
        assert len({key["kid"] for key in keys}) == len(keys)
        assert not any(key.is_private for key in KeySet.import_key_set({"keys": keys}).keys)


def test_the_key_set_of_a_tenant_that_is_not_there_is_not_found_and_may_be_cached_where_it_is(keyed: Clinic) -> None:
    """A59."""
    browser = keyed.service.browser()
    assert browser.get("/.well-known/jwks/nobody.json").status_code == 404
    answer = browser.get(f"/.well-known/jwks/{keyed.tenant_id}.json")
    assert answer.headers["Cache-Control"] == f"public, max-age={CACHE}"


def test_a_retired_tenants_key_is_published_while_its_tokens_are_given_back_and_no_longer(keyed: Clinic) -> None:
    kid = signing(keyed)
    keyed.service.parts.registering.retire(keyed.tenant_id, "cli:test")
    assert [key["kid"] for key in keyed.published(keyed.tenant_id)] == [kid]
    keyed.service.clock.ahead = OVERLAP + JUST
    assert keyed.published(keyed.tenant_id) == []


def test_no_key_is_kept_in_the_clear(keyed: Clinic) -> None:
    """A61."""
    signing(keyed)
    with keyed.service.parts.database.read() as tx:
        rows = tx.execute(select(client_keys).where(client_keys.c.tenant_id == keyed.tenant_id)).all()
    assert rows
    for row in rows:
        assert b'"d"' not in row.ciphertext
        assert b"PRIVATE" not in row.ciphertext
    key_id = rows[0].kid
    signer = keys_of(keyed).signer(keyed.service.parts.tenants.require(keyed.tenant_id), keyed.service.clock())
    assert signer.key.as_dict(private=True)["d"] not in repr(signer)
    assert key_id in repr(signer)


def test_a_tenant_with_a_secret_has_no_key_to_rotate(clinic: Clinic) -> None:
    clinic.register(authentication={"method": "client_secret_basic", "secret": "sealed:client"})
    with pytest.raises(Refused, match="client_secret_basic"):
        rotate(clinic)
