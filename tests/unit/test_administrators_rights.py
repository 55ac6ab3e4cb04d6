"""Who may see and do what, as one table."""

from itertools import product

import pytest

from app.administrators.roles import Act, Area, Role, RoleMapping, may_do, may_see, roles_of, written
from app.errors import Misconfigured

SEES = {
    Area.TENANTS: set(Role),
    Area.LAUNCHES: {Role.IT_ADMIN, Role.OPERATIONS},
    Area.ACCOUNTS: {Role.IT_ADMIN},
    Area.AUDIT: {Role.COMPLIANCE},
    Area.OPERATIONS: {Role.IT_ADMIN, Role.OPERATIONS, Role.PRODUCT},
}
DOES = {
    Act.TURN_SWITCH: {Role.IT_ADMIN, Role.OPERATIONS},
    Act.END_WRITE: {Role.IT_ADMIN, Role.OPERATIONS},
    Act.CHANGE_PHASE: {Role.IT_ADMIN, Role.PRODUCT},
}


@pytest.mark.parametrize(("role", "area"), [*product(Role, Area)])
def test_each_role_sees_its_own_pages_and_no_others(role: Role, area: Area) -> None:
    """E30."""
    assert may_see((role,), area) == (role in SEES[area])


@pytest.mark.parametrize(("role", "act"), [*product(Role, Act)])
def test_each_role_does_its_own_acts_and_no_others(role: Role, act: Act) -> None:
    """E30."""
    assert may_do((role,), act) == (role in DOES.get(act, {Role.IT_ADMIN}))


def test_without_a_role_nothing_is_seen_or_done() -> None:
    assert not any(may_see((), area) for area in Area)
    assert not any(may_do((), act) for act in Act)


def test_roles_are_stored_once_each_in_one_order_and_unknown_names_give_nothing() -> None:
    assert written([Role.PRODUCT, Role.IT_ADMIN, Role.PRODUCT]) == "it_admin,product"
    assert roles_of("product,emperor,it_admin,") == (Role.PRODUCT, Role.IT_ADMIN)
    assert roles_of("") == ()


MAPPING = "Countersign IT=it_admin, cn=audit=compliance"


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"groups": ["Countersign IT", "Staff"]}, (Role.IT_ADMIN,)),
        ({"groups": ["cn=audit", "Countersign IT"]}, (Role.IT_ADMIN, Role.COMPLIANCE)),
        ({"groups": "cn=audit"}, (Role.COMPLIANCE,)),
        ({"groups": ["countersign it"]}, ()),
        ({"groups": "Countersign IT, and more"}, ()),
        ({"groups": {"Countersign IT": True}}, ()),
        ({"groups": None}, ()),
        ({"groups": [["Countersign IT"], 7]}, ()),
        ({"roles": ["Countersign IT"]}, ()),
        ({}, ()),
    ],
)
def test_a_claim_gives_the_roles_that_its_values_are_mapped_to(claims: dict, roles: tuple[Role, ...]) -> None:
    """E11."""
    assert RoleMapping("groups", MAPPING).roles(claims) == roles


@pytest.mark.parametrize("wrong", ["it_admin", "group=emperor", "=it_admin", "a=it_admin,b"])
def test_a_mapping_that_cannot_be_read_stops_the_start(wrong: str) -> None:
    with pytest.raises(Misconfigured, match="COUNTERSIGN_ADMIN_OIDC_ROLES"):
        RoleMapping("roles", wrong)
