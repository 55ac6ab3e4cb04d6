"""Change notices that the EHR posts to an app: signed, at least once, and as unreliable as the knobs make them.

`POST <url>` with `X-Signature-Timestamp: <seconds since 1970>` and `X-Signature: sha256=<hex>`: HMAC-SHA256 under the
shared secret over the timestamp, a dot and the body, as bytes. The body is JSON:
`{"id": "<the same for every delivery of one change>", "type": "DocumentReference.updated",
"resource": "DocumentReference/88", "version": "2", "occurred_at": "2026-11-22T10:00:00.000+00:00"}`; `type` ends in
`created`, `updated` or `deleted`. Any 2xx is taken for an answer; after anything else it comes again, three times.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from sandbox.clock import Clock
from sandbox.fhir.store import Store, Version
from sandbox.fingerprint import fingerprint
from sandbox.qa.faults import Fault, Faults

KINDS = {"POST": "created", "PUT": "updated", "DELETE": "deleted"}
AGAIN_AFTER_SECONDS = 5
DELIVERIES_AT_MOST = 4
REMEMBERED = 500


class Subscription(BaseModel):
    """Where notices go, and about what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    secret: str
    types: tuple[str, ...] = ("DocumentReference",)
    # Off: nothing leaves until somebody asks for it (`POST /qa/<ehr>/callbacks/deliveries`).
    automatic: bool = True


@dataclass(frozen=True)
class Delivery:
    """One notice, ready to be posted."""

    id: str
    url: str
    headers: dict[str, str]
    body: bytes
    due_at: float
    knob: str | None = None
    tried: int = 0


class Callbacks:
    """One EHR's notices. What changed is read from the store's versions, so nothing that was committed is forgotten."""

    def __init__(self, name: str, store: Store, faults: Faults, clock: Clock) -> None:
        self._name, self._store, self._faults, self._clock = name, store, faults, clock
        self._lock = threading.Lock()
        self.subscription: Subscription | None = None
        self._mark = 0
        self._waiting: list[Delivery] = []
        self._held: list[Delivery] = []
        self._sent: list[Delivery] = []

    def subscribe(self, subscription: Subscription | None) -> None:
        """Tell about every change from now on; None: about none any more."""
        with self._lock:
            self.subscription = subscription
            self._mark = self._store.mark()
            self._waiting, self._held = [], []

    def due(self) -> list[Delivery]:
        """What is to be posted now, in this order; whoever calls posts it, and tells `undelivered` what failed."""
        with self._lock:
            if self.subscription is None:
                return []
            self._read_what_changed(self.subscription)
            now = self._clock.now()
            ready = [one for one in self._waiting if one.due_at <= now]
            self._waiting = [one for one in self._waiting if one.due_at > now]
            if not ready and self._held:
                ready, self._held = self._held, []  # nothing came that it could have been overtaken by
            self._sent = [*self._sent, *ready][-REMEMBERED:]
            return ready

    def undelivered(self, delivery: Delivery) -> None:
        """It was not taken: it comes again later, unless that was tried often enough."""
        if delivery.tried + 1 < DELIVERIES_AT_MOST:
            again = replace(delivery, tried=delivery.tried + 1, due_at=self._clock.now() + AGAIN_AFTER_SECONDS)
            with self._lock:
                self._waiting.append(again)

    def waiting(self) -> int:
        """How many are made and not yet posted."""
        return len(self._waiting) + len(self._held)

    def sent(self) -> list[Delivery]:
        """The last that were handed out, oldest first."""
        return list(self._sent)

    def _read_what_changed(self, subscription: Subscription) -> None:
        self._mark = min(self._mark, self._store.mark())  # a restored backup took the rest away
        for mark, resource_type, version in self._store.versions_after(self._mark, subscription.types):
            self._mark = mark
            met = self._faults.take(frozenset({"callback"}), resource_type, None, lambda _fault: False)
            overtaken, self._held = self._held, []
            self._waiting += self._made(subscription, resource_type, version, met[0] if met else None)
            self._waiting += overtaken

    def _made(
        self, subscription: Subscription, resource_type: str, version: Version, fault: Fault | None
    ) -> list[Delivery]:
        notice = _notice(self._name, resource_type, version)
        plain = _signed(subscription, notice, self._clock.now(), subscription.secret)
        if fault is None:
            return [plain]
        made = DISTORTIONS[fault.fault](_Made(subscription, notice, plain, self._clock.now(), self._sent), fault)
        named = [replace(one, knob=fault.fault) for one in made]
        if fault.fault == "callback_reordered":
            self._held += named
            return []
        return named


@dataclass(frozen=True)
class _Made:
    subscription: Subscription
    notice: dict[str, str]
    plain: Delivery
    now: float
    sent: list[Delivery]


def _notice(name: str, resource_type: str, version: Version) -> dict[str, str]:
    place = f"{resource_type}/{version.resource['id']}"
    return {
        "id": fingerprint(f"{name}/{place}/{version.version}/{version.last_updated}")[:32],
        "type": f"{resource_type}.{KINDS[version.method]}",
        "resource": place,
        "version": str(version.version),
        "occurred_at": version.last_updated,
    }


def _signed(subscription: Subscription, notice: dict[str, str], now: float, secret: str) -> Delivery:
    body, moment = json.dumps(notice).encode(), str(int(now))
    signature = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Signature-Timestamp": moment,
        "X-Signature": f"sha256={signature}",
    }
    return Delivery(notice["id"], subscription.url, headers, body, due_at=0)


def _skewed(made: _Made, fault: Fault) -> list[Delivery]:
    """The whole notice by a wrong clock."""
    occurred = datetime.fromisoformat(made.notice["occurred_at"]).astimezone(UTC) + timedelta(seconds=fault.seconds)
    notice = {**made.notice, "occurred_at": occurred.isoformat(timespec="milliseconds")}
    return [_signed(made.subscription, notice, made.now + fault.seconds, made.subscription.secret)]


def _replayed(made: _Made, _fault: Fault) -> list[Delivery]:
    """Everything that was sent before comes once more, exactly as it was."""
    return [made.plain, *(replace(one, due_at=0, tried=0) for one in made.sent)]


DISTORTIONS: dict[str, Callable[[_Made, Fault], list[Delivery]]] = {
    "callback_twice": lambda made, _fault: [made.plain, made.plain],
    "callback_reordered": lambda made, _fault: [made.plain],
    "callback_late": lambda made, fault: [replace(made.plain, due_at=made.now + fault.seconds)],
    "callback_lost": lambda _made, _fault: [],
    "callback_skewed": _skewed,
    "callback_bad_signature": lambda made, _fault: [
        _signed(made.subscription, made.notice, made.now, made.subscription.secret + "?")
    ],
    "callback_unsigned": lambda made, _fault: [replace(made.plain, headers={"Content-Type": "application/json"})],
    "callback_garbled": lambda made, _fault: [replace(made.plain, body=made.plain.body[:-5])],
    "callback_replayed": _replayed,
}
