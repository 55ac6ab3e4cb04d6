"""A clinic whose EHR no file of this installation names: registered by data alone, by its vendor's own profile."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
from joserfc.jwk import ECKey

from app.administrators.roles import Role
from app.drafting.draft import SourceKind
from app.onboarding.addresses import addresses_of
from app.onboarding.case import Case
from app.onboarding.checks_client import check_methods
from app.onboarding.finding import Outcome
from app.onboarding.history import History
from app.onboarding.probes import Observed
from app.onboarding.sheet import make_sheet
from app.tenants.registering import RegistrationRefused
from app.writebacks.state import Stage
from launch.discovery import ServerMetadata
from launch.registration import PrivateKeyJWT
from tests.flows.admin_browser import an_administrator
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database

EHR = "ecw"
FRAME = {"Sec-Fetch-Dest": "iframe"}


@dataclass
class Practice:
    """A tenant at the simulated eClinicalWorks, and the app of the same name there."""

    service: Service
    tenant_id: str

    def register(self, algorithm: str = "RS384", **changed: object) -> None:
        document = {
            "id": self.tenant_id,
            "organization": "Practice by Data",
            "vendor": EHR,
            "environment": "sandbox",
            "fhir_base": f"{self.service.ehr.origin}/ecw/fhir/r4/SBOXEC",
            "client_id": self.tenant_id,
            "authentication": {"method": "private_key_jwt", "algorithm": algorithm},
            "frame_origins": [self.service.ehr.origin],
        }
        self.service.parts.registering.register(document | changed, "cli:test")

    def launch(self, patient: str = "Rivera, Ana") -> str:
        """The path of a fresh launch from the chart."""
        ehr = self.service.ehr
        opened = ehr.open_app(EHR, ehr.patient(EHR, patient), client=self.tenant_id)
        return self.service._path(opened["url"])

    def open_chart(self) -> OpenChart:
        """What a clinician does: the launch opens in the chart's frame, the sign-in in a window of its own."""
        service = self.service
        framed = service.browser().get(self.launch(), base_url=service.origin, headers=FRAME)
        assert "does not open inside another page" in framed.text, framed.text
        [go_on] = re.findall(r'href="(/launch/continue/[^"]+)"', framed.text)
        window = service.browser()
        checked = window.get(go_on, base_url=service.origin)
        sent = window.get(checked.headers["Location"], base_url=service.origin)
        assert urlsplit(sent.headers["Location"]).path == "/ecw/oauth/oauth2/authorize"
        signed_in = requests.get(service.ehr.reachable(sent.headers["Location"]), allow_redirects=False, timeout=10)
        answer = service.callback(window, signed_in.headers["Location"])
        assert answer.status_code == 303, answer.text
        return OpenChart(service, window, answer.headers["Location"].split("/")[2])


@pytest.fixture
def practice(service: Service) -> Iterator[Practice]:
    one = Practice(service, f"practice-{secrets.token_hex(4)}")
    service.ehr.register_client(
        EHR,
        one.tenant_id,
        launch_url=f"{service.origin}/launch",
        redirect_uris=[f"{service.origin}/callback/{one.tenant_id}"],
        auth={"method": "private_key_jwt", "jwks_uri": f"{service.origin}/.well-known/jwks/{one.tenant_id}.json"},
    )
    yield one
    service.ehr.forget_client(EHR, one.tenant_id)


def test_a_vendor_by_data_launches_and_hands_the_signed_note_over_for_copying(practice: Practice) -> None:
    """A54, E03: the sign-in stays out of frames because the vendor's profile says so."""
    practice.register()
    chart = practice.open_chart()
    writes = len(practice.service.ehr.qa(EHR, "writes"))

    chart.draft()
    assert "eClinicalWorks takes no notes from here; you will copy the signed note" in chart.get().text
    assert {source.kind for source in chart.note().review.draft.sources} == set(SourceKind)
    chart.settle()
    assert chart.sign().status_code == 303

    assert practice.service.work() == 0
    assert chart.writeback().stage is Stage.AWAITING_COPY
    chart.post("/note/copied")
    assert chart.writeback().stage is Stage.COPIED
    assert len(practice.service.ehr.qa(EHR, "writes")) == writes


def test_the_registration_has_the_last_word_on_where_the_sign_in_opens(practice: Practice) -> None:
    """E03."""
    practice.register(sign_in="in_frame")

    framed = practice.service.browser().get(practice.launch(), base_url=practice.service.origin, headers=FRAME)

    assert framed.status_code == 303
    assert urlsplit(framed.headers["Location"]).path == "/launch/check"


def test_a_key_that_this_vendor_is_not_known_to_take_is_refused_at_registration(practice: Practice) -> None:
    """A56."""
    with pytest.raises(RegistrationRefused) as caught:
        practice.register("ES384")

    assert [str(problem) for problem in caught.value.problems] == [
        "authentication.algorithm: eClinicalWorks is not known to take ES384. Write RS384."
    ]


def test_the_sheet_of_a_vendor_by_data_has_its_contract_and_its_one_algorithm(practice: Practice) -> None:
    practice.register()
    parts = practice.service.parts
    tenant = parts.tenants.require(practice.tenant_id)
    profile = parts.ehrs.adapter(tenant.id).profile

    sheet = make_sheet(
        tenant, profile, addresses_of(tenant, practice.service.origin, parts.tenants), profile.scope_strings(v2=True)
    )

    assert {line.name: line.value for line in sheet.entries}["Signing algorithm"] == "RS384"
    steps = " ".join(step.says for step in sheet.steps)
    assert "App Activation Code" in steps
    assert "interop@eclinicalworks.com" in steps
    assert not [scope.scope for scope in sheet.scopes if scope.scope.endswith((".c", ".u", ".write"))]


def test_a_form_that_leaves_the_sign_in_to_the_vendor_registers_nothing_of_its_own(practice: Practice) -> None:
    """E03."""
    administrator = an_administrator(practice.service, Role.IT_ADMIN)
    answer = administrator.register(
        id=practice.tenant_id,
        vendor=EHR,
        fhir_base="https://ehr.northside.example/fhir/r4/ABCDEF",
        sign_in="",
        **{"authentication.algorithm": "RS384"},
    )

    assert practice.service.parts.tenants.require(practice.tenant_id).sign_in is None
    assert "in a window of its own" in administrator.get(answer.location).text


def test_where_an_ehr_lists_no_algorithms_the_doctor_goes_by_what_is_documented(practice: Practice) -> None:
    """A56."""
    practice.register()
    parts = practice.service.parts
    tenant = parts.tenants.require(practice.tenant_id)
    address = f"{tenant.fhir_base}/token"
    case = Case(
        tenant,
        parts.ehrs.adapter(tenant.id).profile,
        SimpleNamespace(authentication=PrivateKeyJWT("key-1", ECKey.generate_key("P-384"), "ES384")),
        addresses_of(tenant, practice.service.origin, parts.tenants),
        Observed(metadata=ServerMetadata(None, address, address, None, frozenset(), response_issuer_required=False)),
        History(),
        "",
    )

    found = check_methods(case)

    assert found.outcome is Outcome.WRONG
    assert found.found == "Countersign signs with ES384; eClinicalWorks is documented to take RS384."
