"""A small real authorization server on 127.0.0.1 that answers as told and writes down what it was asked."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

CLIENT_ID = "countersign"
# Making a key takes longer than most tests; one does for all.
KEY = RSAKey.generate_key(2048, parameters={"kid": "ehr-1", "use": "sig"})
BASE_PATH = "/fhir/r4"


class SmallEHR:
    """One tenant's EHR. `answers` maps a path to a function that replaces the normal answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Request], Response]] = {}
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.configuration_changes: dict[str, Any] = {}
        self.published_keys = [KEY]
        self.token_changes: dict[str, Any] = {}
        self.claim_changes: dict[str, Any] = {}
        self.nonce = ""
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base(self) -> str:
        return self.origin + BASE_PATH

    @property
    def issuer(self) -> str:
        return f"{self.origin}/oauth2"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def requests_to(self, path: str) -> list[tuple[dict[str, str], dict[str, str]]]:
        return [(headers, form) for asked, headers, form in self.requests if asked == path]

    def configuration(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.origin}/oauth2/keys",
            "authorization_endpoint": f"{self.origin}/oauth2/authorize",
            "token_endpoint": f"{self.origin}/oauth2/token",
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["launch-ehr", "sso-openid-connect", "permission-v1", "permission-v2"],
        }
        return changed(document, self.configuration_changes)

    def token_response(self) -> dict[str, Any]:
        document = {
            "access_token": "access-token-of-this-launch",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "launch openid fhirUser user/Patient.rs user/DocumentReference.crs",
            "patient": "pat-1",
            "encounter": "enc-1",
            "need_patient_banner": True,
            "id_token": self.id_token(),
        }
        return changed(document, self.token_changes)

    def claims(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "user-7",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "fhirUser": f"{self.base}/Practitioner/7",
            "name": "Kwame Osei",
        }
        return changed(claims, self.claim_changes)

    def id_token(self) -> str:
        return jwt.encode({"alg": "RS256", "kid": "ehr-1"}, self.claims(), KEY)

    def authorize(self, authorization_url: str, **changes: str) -> dict[str, str]:
        """Play the browser and the clinician: the parameters that come back to the redirect URI."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        self.nonce = asked["nonce"]
        return {"code": "code-1", "state": asked["state"], **changes}

    def _application(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        self.requests.append((request.path, dict(request.headers), request.form.to_dict()))
        answer = self.answers.get(request.path) or self._normal_answers().get(request.path)
        response = answer(request) if answer else Response("not found", 404)
        return response(environ, start_response)

    def _normal_answers(self) -> dict[str, Callable[[Request], Response]]:
        return {
            f"{BASE_PATH}/.well-known/smart-configuration": lambda _: as_json(self.configuration()),
            f"{BASE_PATH}/.well-known/openid-configuration": lambda _: as_json(
                {"issuer": self.issuer, "jwks_uri": f"{self.origin}/oauth2/keys"}
            ),
            "/oauth2/token": lambda _: as_json(self.token_response()),
            "/oauth2/keys": lambda _: as_json({"keys": [key.as_dict() for key in self.published_keys]}),
        }


def as_json(document: Any, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The document with members replaced, or removed where the change is None."""
    return {name: value for name, value in {**document, **changes}.items() if value is not None}
