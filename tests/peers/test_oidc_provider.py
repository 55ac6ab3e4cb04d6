"""The launch room against `oidc-provider`, an OpenID-certified authorization server that shares no code with ours."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey
from launch_harness import SCOPES, Harness, ListedRegistrations, query_of, session_for
from small_ehr import KEY
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from launch.client_authentication import prove_client
from launch.discovery import Discovery, ServerMetadata
from launch.errors import IdentityUnverified, TokenExchangeFailed
from launch.id_token import IDTokens
from launch.introspection import Inactive, SaidActive, introspect
from launch.refresh import ClientRefused, GrantEnded, Held, Refreshed, refresh
from launch.registration import ClientAuthentication, PrivateKeyJWT, PublicClient, Registration, SecretBasic
from launch.revocation import revoke
from launch.routes import key_set_blueprint
from launch.signing_keys import SigningKeys
from launch.token_exchange import exchange_code
from launch.transaction import LaunchTransaction
from tests.peers.oidc_provider import OIDCProvider, running_oidc_provider

ES384 = PrivateKeyJWT("ours-es384", ECKey.generate_key("P-384"), "ES384")
RS384 = PrivateKeyJWT("ours-rs384", KEY, "RS384")
SECRET = SecretBasic("s3:cr%et +/&= with all that a form must encode")
# Each client's way of proving itself, and how the server signs its id_tokens.
CLIENTS: dict[str, tuple[ClientAuthentication, str]] = {
    "signing-es384": (ES384, "ES384"),
    "signing-rs384": (RS384, "RS384"),
    "secret": (SECRET, "RS256"),
    "public": (PublicClient(), "RS256"),
    "told-in-ps256": (PublicClient(), "PS256"),
    "told-in-hs256": (SECRET, "HS256"),
}
WAYS = ("signing-es384", "signing-rs384", "secret", "public")
SIGNING = ("signing-es384", "signing-rs384")
LAUNCHES = {
    "from-anas-chart": {"patient": "ana", "encounter": "ana-1", "need_patient_banner": False},
    "from-bens-chart": {"patient": "ben", "encounter": "ben-4", "need_patient_banner": True},
}
CALLBACK = "http://app.localhost/callback/"


@pytest.fixture(scope="module")
def key_set_url() -> Iterator[str]:
    """Our key set where the server fetches it."""
    app = Flask(__name__)
    app.register_blueprint(key_set_blueprint(lambda _: [ES384, RS384]))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/.well-known/jwks.json"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def peer(key_set_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OIDCProvider]:
    settings = {
        "clients": [_client(name, key_set_url) for name in CLIENTS],
        "scopes": SCOPES,
        "launches": LAUNCHES,
    }
    with running_oidc_provider(tmp_path_factory.mktemp("oidc"), settings) as running:
        yield running


def _client(name: str, key_set_url: str) -> dict[str, Any]:
    authentication, id_token_algorithm = CLIENTS[name]
    return {
        "client_id": name,
        "redirect_uris": [CALLBACK + name],
        "id_token_signed_response_alg": id_token_algorithm,
        "grant_types": ["authorization_code", "refresh_token"],
        **_proof(authentication, key_set_url),
    }


def _proof(authentication: ClientAuthentication, key_set_url: str) -> dict[str, str]:
    match authentication:
        case PublicClient():
            return {"token_endpoint_auth_method": "none"}
        case SecretBasic(secret=secret):
            return {"token_endpoint_auth_method": "client_secret_basic", "client_secret": secret}
        case PrivateKeyJWT(algorithm=algorithm):
            return {
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_signing_alg": algorithm,
                "jwks_uri": key_set_url,
            }


class Clinic:
    """Our launch room as one client of the server, and a clinician whose browser talks to both."""

    def __init__(self, peer: OIDCProvider, client: str, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "tenant_id": client,
            "fhir_base": peer.fhir_base,
            "client_id": client,
            "redirect_uri": CALLBACK + client,
            "authentication": CLIENTS[client][0],
            "scopes": SCOPES,
            "required_scopes": ("user/Patient.rs",),
            "allow_loopback": True,
        }
        self.registration = Registration(**{**fields, **changes})
        self.harness = Harness(ListedRegistrations(self.registration))
        self.session = session_for(self.registration)
        self.browser: FlaskClient = self.harness.browser()
        self._browser_at_the_ehr = requests.Session()

    @property
    def metadata(self) -> ServerMetadata:
        return Discovery(session_for, self.harness.clock).metadata(self.registration)

    @property
    def transaction(self) -> LaunchTransaction:
        """The one launch that waits for its callback."""
        [waiting] = self.harness.transactions.waiting.values()
        return waiting

    def launch(self, launch: str = "from-anas-chart") -> str:
        """Start from the chart: the authorization request."""
        query = {"iss": self.registration.fhir_base, "launch": launch}
        return str(self.browser.get("/launch", query_string=query).location)

    def authorize(self, url: str) -> dict[str, str]:
        """Follow the server's redirects: what it sends to our callback."""
        while not url.startswith(CALLBACK):
            answer = self._browser_at_the_ehr.get(url, allow_redirects=False, timeout=10)
            assert answer.is_redirect, answer.text
            url = requests.compat.urljoin(url, answer.headers["Location"])
        return query_of(url)

    def call_back(self, returned: Mapping[str, str]) -> TestResponse:
        return self.browser.get(f"/callback/{self.registration.tenant_id}", query_string=returned)

    def complete(self, launch: str = "from-anas-chart") -> TestResponse:
        return self.call_back(self.authorize(self.launch(launch)))

    def code(self) -> tuple[str, LaunchTransaction]:
        """A code that nobody has used yet, and the launch that it answers."""
        returned = self.authorize(self.launch())
        transaction = self.transaction
        self.harness.transactions.waiting.clear()
        return returned["code"], transaction

    def exchange(self, code: str, transaction: LaunchTransaction) -> Mapping[str, Any]:
        return exchange_code(
            self.session,
            registration=self.registration,
            token_endpoint=self.metadata.token_endpoint,
            transaction=transaction,
            code=code,
            now=self.harness.clock(),
        )

    def verify(self, id_token: object, registration: Registration, nonce: str) -> Mapping[str, Any]:
        keys = SigningKeys(session_for, self.harness.clock)
        return IDTokens(keys, self.harness.clock).verify(id_token, registration, self.metadata, nonce)


def refused(answer: TestResponse, code: str, detail: str = "") -> None:
    assert (answer.json["code"], detail in answer.json["detail"]) == (code, True), answer.json


def status_of(access_token: str, peer: OIDCProvider) -> int:
    """What the server's userinfo says to this token: 200 while it lives, then 401."""
    return requests.get(
        f"{peer.issuer}/me", headers={"Authorization": f"Bearer {access_token}"}, timeout=10
    ).status_code


@pytest.mark.parametrize("way", WAYS)
def test_a_launch_completes_with_every_way_of_client_authentication(peer: OIDCProvider, way: str) -> None:
    """A24, A33, A44, A54, A59, A62: the server fetches our published keys, and we fetch its."""
    clinic = Clinic(peer, way)

    answer = clinic.complete()

    assert (answer.status_code, answer.location) == (303, "/charts/the-launch/"), answer.json
    [completed] = clinic.harness.completed
    context = completed.context
    assert (context.patient, context.encounter, context.need_patient_banner) == ("ana", "ana-1", False)
    assert (completed.issuer, completed.identity.issuer) == (peer.fhir_base, peer.issuer)
    assert (completed.identity.subject, completed.identity.fhir_user) == ("user-7", "Practitioner/7")
    assert completed.grant.scopes.allows("DocumentReference", "c")
    assert status_of(completed.grant.access_token, peer) == 200


def test_two_charts_in_one_browser_stay_apart(peer: OIDCProvider) -> None:
    """A69: one sign-in at the EHR, two launches under way at once, each with its own patient."""
    clinic = Clinic(peer, "signing-es384")
    returned = [clinic.authorize(clinic.launch(launch)) for launch in LAUNCHES]

    assert [clinic.call_back(one).status_code for one in reversed(returned)] == [303, 303]
    assert [completed.context.patient for completed in clinic.harness.completed] == ["ben", "ana"]


def test_a_launch_that_no_chart_sent_ends_with_a_page(peer: OIDCProvider) -> None:
    """A65."""
    clinic = Clinic(peer, "public")
    refused(clinic.complete("invented"), "authorization_denied", "invalid_request")


def test_scopes_that_the_server_does_not_grant_are_missed(peer: OIDCProvider) -> None:
    """A26: it ignores what it does not know, and says so only by leaving it out of `scope`."""
    clinic = Clinic(peer, "public", scopes=(*SCOPES, "user/Task.cu"), required_scopes=("user/Task.cu",))
    refused(clinic.complete(), "scope_shortfall", "user/Task.cu")


@pytest.mark.parametrize(
    "change",
    [{"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}],
    ids=["removed", "plain"],
)
def test_a_request_whose_code_challenge_was_weakened_is_refused(peer: OIDCProvider, change: dict[str, Any]) -> None:
    """A18: somebody between the browser and the server removes it or asks for `plain`."""
    clinic = Clinic(peer, "signing-es384")
    url = clinic.launch()
    asked = {name: value for name, value in {**query_of(url), **change}.items() if value}

    answer = clinic.call_back(clinic.authorize(f"{url.partition('?')[0]}?{urlencode(asked)}"))

    refused(answer, "authorization_denied", "invalid_request")


def test_a_wrong_code_verifier_is_refused(peer: OIDCProvider) -> None:
    """A18, A23: a stolen code is worth nothing to a launch that did not ask for it."""
    clinic = Clinic(peer, "signing-es384")
    returned = clinic.authorize(clinic.launch())
    stolen = replace(clinic.transaction, code_verifier="another-verifier-of-forty-three-characters-.")
    clinic.harness.transactions.waiting[stolen.state_digest] = stolen

    refused(clinic.call_back(returned), "token_exchange_failed", "invalid_grant")
    assert not clinic.harness.completed


def test_a_code_works_once_and_its_second_use_ends_the_access_it_gave(peer: OIDCProvider) -> None:
    """A22, A66: why one code is never sent twice, not even after a failure."""
    clinic = Clinic(peer, "signing-es384")
    code, transaction = clinic.code()
    access_token = clinic.exchange(code, transaction)["access_token"]
    assert status_of(access_token, peer) == 200

    with pytest.raises(TokenExchangeFailed, match="invalid_grant"):
        clinic.exchange(code, transaction)

    assert status_of(access_token, peer) == 401


def test_our_callback_opened_twice_leaves_the_access_alone(peer: OIDCProvider) -> None:
    """A17, A22: the back button reaches us, and not the server."""
    clinic = Clinic(peer, "signing-es384")
    returned = clinic.authorize(clinic.launch())
    assert clinic.call_back(returned).status_code == 303

    refused(clinic.call_back(returned), "state_refused")
    assert status_of(clinic.harness.completed[0].grant.access_token, peer) == 200


@pytest.mark.parametrize("way", SIGNING)
def test_an_assertion_is_refused_the_second_time(peer: OIDCProvider, way: str) -> None:
    """A55: the server remembers its jti."""
    clinic = Clinic(peer, way)
    token_endpoint = clinic.metadata.token_endpoint
    proof = prove_client(clinic.registration, token_endpoint, clinic.harness.clock())

    answers = []
    for code, transaction in (clinic.code(), clinic.code()):
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": transaction.redirect_uri,
            "code_verifier": transaction.code_verifier,
            **proof.form,
        }
        answers.append(clinic.session.post(token_endpoint, data=form))

    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[1].json()["error"] == "invalid_client"


@pytest.mark.parametrize("way", SIGNING)
def test_every_launch_brings_an_assertion_of_its_own(peer: OIDCProvider, way: str) -> None:
    """A55, A57: three launches within one second are no replay."""
    clinic = Clinic(peer, way)
    assert [clinic.complete().status_code for _ in range(3)] == [303, 303, 303]


def test_an_assertion_may_name_the_token_endpoint_or_the_issuer_and_nobody_else(peer: OIDCProvider) -> None:
    """A58."""
    named = Clinic(peer, "signing-es384", authentication=replace(ES384, audience=peer.issuer))
    assert named.complete().status_code == 303

    stranger = Clinic(peer, "signing-es384", authentication=replace(ES384, audience="https://other.example/token"))
    refused(stranger.complete(), "token_exchange_failed", "invalid_client")


@pytest.mark.parametrize(
    ("client", "wrong"),
    [
        ("signing-es384", replace(ES384, key=ECKey.generate_key("P-384"))),
        ("signing-es384", replace(ES384, key_id="never-published")),
        ("signing-es384", RS384),
        ("signing-es384", PublicClient()),
        ("secret", SecretBasic("another secret")),
        ("secret", PublicClient()),
    ],
    ids=["another key", "an unknown kid", "another algorithm", "no proof", "another secret", "no secret"],
)
def test_a_client_that_cannot_prove_itself_gets_no_token(
    peer: OIDCProvider, client: str, wrong: ClientAuthentication
) -> None:
    """A54, A56, A62."""
    clinic = Clinic(peer, client, authentication=wrong)
    refused(clinic.complete(), "token_exchange_failed", "invalid_client")


@pytest.mark.parametrize("issuer", [None, "https://another-server.example"])
def test_a_response_without_the_servers_name_ends_before_the_code_is_sent(
    peer: OIDCProvider, issuer: str | None
) -> None:
    """A21: the server promises `iss` in every response (RFC 9207), so one without it comes from somebody else."""
    clinic = Clinic(peer, "public")
    returned = clinic.authorize(clinic.launch())
    assert returned["iss"] == peer.issuer
    transaction = clinic.transaction
    changed = {name: value for name, value in {**returned, "iss": issuer}.items() if value}

    refused(clinic.call_back(changed), "issuer_mismatch")
    assert clinic.exchange(returned["code"], transaction)["access_token"], "the code was unused"


@pytest.mark.parametrize("way", WAYS)
def test_its_id_token_is_verified_with_the_keys_it_publishes(peer: OIDCProvider, way: str) -> None:
    """A40, A41, A42, A43, E17: the same token is refused for another nonce, client, issuer or body."""
    clinic = Clinic(peer, way)
    code, transaction = clinic.code()
    token = str(clinic.exchange(code, transaction)["id_token"])
    registration, nonce = clinic.registration, transaction.nonce

    claims = clinic.verify(token, registration, nonce)
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (peer.issuer, way, nonce)
    assert jws.extract_compact(token.encode()).headers()["alg"] == CLIENTS[way][1]

    header, _, signature = token.split(".")
    other_code, other_transaction = clinic.code()
    other_body = str(clinic.exchange(other_code, other_transaction)["id_token"]).split(".")[1]
    for wrong in (
        lambda: clinic.verify(token, registration, other_transaction.nonce),
        lambda: clinic.verify(token, replace(registration, client_id="another-client"), nonce),
        lambda: clinic.verify(f"{header}.{other_body}.{signature}", registration, other_transaction.nonce),
        lambda: clinic.verify(f"{header}.{other_body}.", registration, other_transaction.nonce),
    ):
        with pytest.raises(IdentityUnverified):
            wrong()


def test_a_nonce_changed_on_the_way_ends_the_launch(peer: OIDCProvider) -> None:
    """A41."""
    clinic = Clinic(peer, "public")
    url = clinic.launch()
    asked = {**query_of(url), "nonce": "of-somebody-else"}

    answer = clinic.call_back(clinic.authorize(f"{url.partition('?')[0]}?{urlencode(asked)}"))

    refused(answer, "identity_unverified", "nonce")


@pytest.mark.parametrize("client", ["told-in-ps256", "told-in-hs256"])
def test_an_id_token_in_an_algorithm_we_do_not_take_ends_the_launch(peer: OIDCProvider, client: str) -> None:
    """A42, E17: genuine, and refused all the same; HS256 above all."""
    refused(Clinic(peer, client).complete(), "identity_unverified")


def held(clinic: Clinic) -> Held:
    """The grant of one completed launch."""
    clinic.complete()
    completed = clinic.harness.completed[-1]
    user, context = completed.identity, completed.context
    return Held(completed.grant, user.issuer, user.subject, context.patient, context.encounter)


def refreshed(clinic: Clinic, grant: Held) -> Refreshed:
    return refresh(
        clinic.session,
        registration=clinic.registration,
        metadata=clinic.metadata,
        id_tokens=IDTokens(SigningKeys(lambda _: clinic.session, clinic.harness.clock), clinic.harness.clock),
        held=grant,
        now=clinic.harness.clock(),
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_grant_is_renewed_and_the_new_pair_works(peer: OIDCProvider, way: str) -> None:
    """A49, A50: with every way of client authentication; this server rotates."""
    clinic = Clinic(peer, way)
    old = held(clinic)
    new = refreshed(clinic, old)
    assert new.ended_for == ""
    assert new.grant.refresh_token not in (None, old.grant.refresh_token)
    assert status_of(new.grant.access_token, peer) == 200


def test_a_refresh_token_used_twice_ends_everything_that_came_from_it(peer: OIDCProvider) -> None:
    """A48, A51: why only one of us may ever use it."""
    clinic = Clinic(peer, "signing-es384")
    old = held(clinic)
    new = refreshed(clinic, old)

    with pytest.raises(GrantEnded, match="invalid_grant"):
        refreshed(clinic, old)

    with pytest.raises(GrantEnded, match="invalid_grant"):
        refreshed(clinic, replace(old, grant=new.grant))
    assert status_of(new.grant.access_token, peer) == 401


@pytest.mark.parametrize("way", WAYS)
def test_a_token_given_back_is_inactive_and_renews_nothing(peer: OIDCProvider, way: str) -> None:
    """A53, A64: revocation and introspection with the same proof as at the token endpoint."""
    clinic = Clinic(peer, way)
    mine, metadata, now = held(clinic), clinic.metadata, clinic.harness.clock()
    assert metadata.introspection_endpoint is not None
    assert metadata.revocation_endpoint is not None
    us = {"registration": clinic.registration, "token_endpoint": metadata.token_endpoint, "now": now}
    asking = {**us, "introspection_endpoint": metadata.introspection_endpoint, "token": mine.grant.access_token}

    said = introspect(clinic.session, **asking)
    assert isinstance(said, SaidActive)
    assert (said.client_id, said.scopes.allows("Patient", "r")) == (way, True)
    for token, hint in ((mine.grant.refresh_token, "refresh_token"), (mine.grant.access_token, "access_token")):
        endpoint = metadata.revocation_endpoint
        revoke(clinic.session, **us, revocation_endpoint=endpoint, token=str(token), hint=hint)

    assert introspect(clinic.session, **asking) == Inactive()
    with pytest.raises(GrantEnded, match="invalid_grant"):
        refreshed(clinic, mine)


def test_a_client_with_another_key_is_no_reason_to_end_a_grant(peer: OIDCProvider) -> None:
    """A51: an operator repairs the key, and the same grant goes on."""
    clinic = Clinic(peer, "signing-es384")
    mine = held(clinic)
    wrong = Clinic(peer, "signing-es384", authentication=replace(ES384, key=ECKey.generate_key("P-384")))
    with pytest.raises(ClientRefused):
        refreshed(wrong, mine)
    assert refreshed(clinic, mine).grant.refresh_token
