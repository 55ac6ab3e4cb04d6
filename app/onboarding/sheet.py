"""The registration sheet: exactly what has to be typed, ticked and signed so that this tenant's EHR launches us.

Values come from the registration, what is said about the vendor's console from the profile, each with its source. The
sheet holds no secret: where the console wants one, it says where ours is kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.onboarding.addresses import Addresses
from app.tenants.registrations import Tenant
from vendors.contract import Cited
from vendors.onboarding import SHEET_VALUES, Entry, Party, SheetValue
from vendors.profile import Profile, ScopeNeed

PARTIES: Mapping[Party, str] = {
    "app_owner": "Whoever registers the app with the vendor",
    "organisation": "The organisation's own EHR team",
    "countersign": "Whoever runs Countersign",
}
METHODS = {
    "private_key_jwt": "By key: asymmetric, private_key_jwt",
    "client_secret_basic": "By secret: symmetric, client_secret_basic",
    "public": "None: public client with PKCE (sandboxes only)",
}
CONFIDENCE = {"documented": "", "reported": "reported by others, not by the vendor", "uncertain": "not certain"}


@dataclass(frozen=True)
class Line:
    """One line to type or read: what it is called there, what goes in, a remark, and who says so."""

    name: str
    value: str
    remark: str
    source: str


@dataclass(frozen=True)
class ScopeLine:
    """One scope, why it is asked for, and whether a launch is useless without it."""

    scope: str
    reason: str
    required: bool


@dataclass(frozen=True)
class APILine:
    """One API to tick; the number is empty where no source gives it."""

    name: str
    number: str
    reason: str
    required: bool


@dataclass(frozen=True)
class StepLine:
    """One step: who does it and what."""

    who: str
    says: str
    remark: str
    source: str


@dataclass(frozen=True)
class SourceLine:
    """A document that the sheet rests on."""

    key: str
    title: str
    address: str


@dataclass(frozen=True)
class Sheet:
    """One tenant's sheet, ready to be shown, printed or read by a script."""

    tenant_id: str
    organization: str
    environment: str
    product: str
    console: Line
    entries: tuple[Line, ...]
    frame_origins: tuple[str, ...]
    scope_note: str
    scopes: tuple[ScopeLine, ...]
    apis: tuple[APILine, ...]
    steps: tuple[StepLine, ...]
    wanted_back: tuple[Line, ...]
    keys: tuple[Line, ...]
    test_users: tuple[Line, ...]
    sources: tuple[SourceLine, ...]

    def document(self) -> dict[str, Any]:
        """The sheet for JSON."""
        return asdict(self)


def make_sheet(tenant: Tenant, profile: Profile, addresses: Addresses, scopes: Iterable[str]) -> Sheet:
    """Fill the vendor's sheet with this tenant's values; `scopes` are those that its launches ask for."""
    onboarding = profile.onboarding
    filled = _values(tenant, addresses, _spelled(profile, scopes))
    return Sheet(
        tenant_id=tenant.id,
        organization=tenant.organization,
        environment=tenant.environment,
        product=profile.product,
        console=_line("Where", onboarding.console.says, onboarding.console),
        entries=tuple(_entry(entry, filled) for entry in onboarding.entries if _applies(entry, tenant)),
        frame_origins=tenant.frame_origins,
        scope_note=onboarding.scope_spelling.says,
        scopes=tuple(_scope(profile, scope) for scope in _spelled(profile, scopes)),
        apis=tuple(APILine(api.name, str(api.number or ""), api.reason, api.required) for api in onboarding.apis),
        steps=tuple(
            StepLine(
                PARTIES[step.who], step.says, "" if step.who == "countersign" else _remark(step), step.source or ""
            )
            for step in onboarding.steps
        ),
        wanted_back=tuple(
            Line(one.field, _held(tenant, one.field), f"{one.says}{_after(_remark(one))}", one.source or "")
            for one in onboarding.wanted_back
        ),
        keys=tuple(_line("", one.says, one) for one in onboarding.keys),
        test_users=tuple(_line("", one.says, one) for one in onboarding.test_users),
        sources=_sources(profile),
    )


def _values(tenant: Tenant, addresses: Addresses, scopes: Iterable[str]) -> Mapping[SheetValue, str]:
    authentication = tenant.authentication
    values: dict[SheetValue, str] = {
        "launch_url": addresses.launch_url,
        "redirect_uri": addresses.redirect_uri,
        "jwks_url": addresses.jwks_url,
        "client_id": tenant.client_id,
        "scopes": " ".join(scopes),
        "authentication": METHODS[authentication.method],
        "algorithm": authentication.algorithm,
        "app_host": addresses.app_host,
    }
    if values.keys() != set(SHEET_VALUES):
        raise TypeError("every value that a profile may ask for needs its line here")
    return values


def _entry(entry: Entry, values: Mapping[SheetValue, str]) -> Line:
    return _line(entry.field, entry.text or values[entry.value or "launch_url"], entry)


def _applies(entry: Entry, tenant: Tenant) -> bool:
    """Key addresses and algorithms are typed in only where this tenant authenticates by key."""
    return entry.value not in ("jwks_url", "algorithm") or tenant.authentication.method == "private_key_jwt"


def _spelled(profile: Profile, scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes as the vendor's console spells them; those that the profile does not know are the same in both."""
    if profile.onboarding.scope_spelling.value == "v2":
        return tuple(scopes)
    older = {need.v2: need.v1 for need in profile.scopes}
    return tuple(dict.fromkeys(older.get(scope, scope) for scope in scopes))


def _scope(profile: Profile, scope: str) -> ScopeLine:
    need = next((need for need in profile.scopes if scope in (need.v1, need.v2)), None)
    if need is None:
        need = ScopeNeed(v1=scope, v2=scope, reason=_lasting(scope), required=False)
    return ScopeLine(scope, need.reason, need.required)


def _lasting(scope: str) -> str:
    if scope == "online_access":
        return "Finish filing a signed note while the clinician is still signed in to the EHR"
    return "Finish filing a signed note after the clinician has left the page"


def _held(tenant: Tenant, field: str) -> str:
    """What the registration has for a field now; of a secret only that it is referred to."""
    document: Any = tenant.model_dump(mode="json")
    for part in field.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    if isinstance(document, dict):
        return ", ".join(f"{name}: {value}" for name, value in document.items())
    if isinstance(document, list):
        return ", ".join(str(item) for item in document)
    return str(document or "")


def _line(name: str, value: str, cited: Cited) -> Line:
    return Line(name, value, _remark(cited), cited.source or "")


def _remark(cited: Cited) -> str:
    return "; ".join(part for part in (cited.note, CONFIDENCE[cited.confidence]) if part)


def _after(remark: str) -> str:
    return f" ({remark})" if remark else ""


def _sources(profile: Profile) -> tuple[SourceLine, ...]:
    """The documents that this sheet's own sentences rest on, in the profile's order."""
    onboarding = profile.onboarding
    cited: list[Cited] = [onboarding.console, onboarding.scope_spelling, onboarding.support]
    for group in (
        onboarding.entries, onboarding.apis, onboarding.steps,
        onboarding.wanted_back, onboarding.keys, onboarding.test_users,
    ):  # fmt: skip
        cited += group
    used = {one.source for one in cited}
    return tuple(SourceLine(key, one.title, one.address) for key, one in profile.sources.items() if key in used)
