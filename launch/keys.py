"""Our public keys as a JWK Set (RFC 7517; SMART App Launch 2.2, client-confidential-asymmetric; A59)."""

from collections.abc import Iterable, Mapping

from launch.registration import PrivateKeyJWT

# For how long an EHR may keep our key set before it asks again.
KEY_SET_SECONDS = 300
# Members are copied by name, so that a private one can never slip through, whatever the key object holds.
PUBLIC_MEMBERS: Mapping[str, tuple[str, ...]] = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}


def public_key_set(signers: Iterable[PrivateKeyJWT]) -> dict[str, list[dict[str, str]]]:
    """Return the JWK Set that EHRs check our assertions with: public members, `kid`, `alg` and `use`.

    A key shared by several registrations is listed once. Raises `ValueError` for two keys under one `kid`,
    because an EHR would check half of our assertions against the wrong one.
    """
    published: dict[str, dict[str, str]] = {}
    for signer in signers:
        entry = _public_key(signer)
        if published.setdefault(signer.key_id, entry) != entry:
            raise ValueError(f"two different keys are called {signer.key_id}")
    return {"keys": list(published.values())}


def _public_key(signer: PrivateKeyJWT) -> dict[str, str]:
    members = signer.key.as_dict(private=False)
    public = {name: str(members[name]) for name in PUBLIC_MEMBERS[signer.key.key_type]}
    return {**public, "kid": signer.key_id, "alg": signer.algorithm, "use": "sig"}
