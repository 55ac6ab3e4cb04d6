"""Names under `localhost` are this machine (RFC 6761), also where the C library does not know it."""

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


def loopback_session() -> requests.Session:
    """A session that reaches `http://*.localhost:PORT` and keeps the name in the Host header."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", _LoopbackAdapter())
    return session


class _LoopbackAdapter(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        url = urlsplit(request.url or "")
        if (url.hostname or "").endswith(".localhost"):
            request.headers["Host"] = url.netloc
            request.url = url._replace(netloc=f"127.0.0.1:{url.port or 80}").geturl()
        return super().send(request, *args, **kwargs)
