"""Posting the change notices that are due."""

import threading
import time

import requests

from sandbox.ehr import EHR
from sandbox.loopback import loopback_session
from sandbox.qa.callbacks import Delivery

LOOK_EVERY_SECONDS = 0.2
TIMEOUT_SECONDS = 5


def send_what_is_due(ehr: EHR) -> list[dict[str, object]]:
    """Post it, and say what came of each."""
    with loopback_session() as session:
        return [_sent(ehr, session, delivery) for delivery in ehr.callbacks.due()]


def start_sending(ehr: EHR) -> None:
    """Keep sending in the background for as long as this subscription stands."""
    threading.Thread(target=_keep_sending, args=(ehr, ehr.callbacks.subscription), daemon=True).start()


def _keep_sending(ehr: EHR, subscription: object) -> None:
    while ehr.callbacks.subscription is subscription:
        send_what_is_due(ehr)
        time.sleep(LOOK_EVERY_SECONDS)


def _sent(ehr: EHR, session: requests.Session, delivery: Delivery) -> dict[str, object]:
    try:
        reply = session.post(
            delivery.url,
            data=delivery.body,
            headers=delivery.headers,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        ehr.callbacks.undelivered(delivery)
        return {"id": delivery.id, "knob": delivery.knob, "status": None, "problem": type(error).__name__}
    if not reply.ok:
        ehr.callbacks.undelivered(delivery)
    return {"id": delivery.id, "knob": delivery.knob, "status": reply.status_code}
