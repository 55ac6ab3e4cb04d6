"""The published key set: everything an EHR needs to check us, nothing that would let it be us."""

import pytest
from flask import Flask
from joserfc.jwk import ECKey, KeySet, RSAKey
from small_ehr import KEY

from launch.keys import public_key_set
from launch.registration import PrivateKeyJWT
from launch.routes import key_set_blueprint

P384 = ECKey.generate_key("P-384")
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def test_the_live_route_serves_public_members_only() -> None:
    """A59: schema of the live answer, cacheable, and readable by a JOSE library."""
    app = Flask(__name__)
    app.register_blueprint(
        key_set_blueprint(lambda _: [PrivateKeyJWT("rsa-1", KEY, "RS384"), PrivateKeyJWT("ec-1", P384, "ES384")])
    )

    answer = app.test_client().get("/.well-known/jwks.json")

    rsa, ec = answer.json["keys"]
    assert set(rsa) == {"kty", "n", "e", "kid", "alg", "use"}
    assert set(ec) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (rsa["kid"], ec["kid"]) == ("rsa-1", "ec-1")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.content_type == "application/json"
    assert not any(key.is_private for key in KeySet.import_key_set(answer.json))


def test_no_private_member_can_be_serialised_whatever_the_key_holds() -> None:
    """A59: members are copied by name; a stray one in the key object does not come along."""
    stray = RSAKey.import_key({**KEY.as_dict(private=True), "k": "stray", "note": "internal"})

    [published] = public_key_set([PrivateKeyJWT("one", stray, "RS384")])["keys"]

    assert not PRIVATE_MEMBERS & published.keys()
    assert "note" not in published


def test_a_shared_key_is_listed_once() -> None:
    """A59."""
    signer = PrivateKeyJWT("one", P384, "ES384")

    assert len(public_key_set([signer, signer])["keys"]) == 1


def test_two_keys_under_one_name_are_refused() -> None:
    """A59: an EHR would check half of our assertions against the wrong one."""
    with pytest.raises(ValueError, match="one"):
        public_key_set(
            [PrivateKeyJWT("one", P384, "ES384"), PrivateKeyJWT("one", ECKey.generate_key("P-384"), "ES384")]
        )
