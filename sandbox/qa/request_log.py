"""The last requests an EHR received: what and when and by whose fingerprint, never a token or a body."""

import threading
from collections import deque
from typing import Any

KEPT = 500


class RequestLog:
    """A ring of request descriptions in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def add(self, request: dict[str, Any]) -> None:
        """Remember one request."""
        with self._lock:
            self._requests.append(request)

    def all(self) -> list[dict[str, Any]]:
        """Every remembered request, oldest first."""
        with self._lock:
            return list(self._requests)
