"""The key that signs id_tokens: made once per home, kept across restarts."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey

BITS = 2048
OWNER_ONLY = 0o600


class SigningKey:
    """An RSA key for RS256, in a file; without one (None) the key of this process."""

    def __init__(self, file: Path | None) -> None:
        if file is None:
            self.key = _of_this_process()
            return
        if not file.exists():
            key = RSAKey.generate_key(BITS, auto_kid=True)
            file.touch(mode=OWNER_ONLY)
            file.write_text(json.dumps(key.as_dict(private=True)), encoding="utf-8")
        self.key = RSAKey.import_key(json.loads(file.read_text(encoding="utf-8")))

    @property
    def kid(self) -> str:
        """The id under which the public half is published."""
        return str(self.key.kid)

    def public_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The JWK Set to publish: public members only."""
        return {"keys": [{**self.key.as_dict(private=False), "use": "sig", "alg": "RS256"}]}


@cache
def _of_this_process() -> RSAKey:
    return RSAKey.generate_key(BITS, auto_kid=True)
