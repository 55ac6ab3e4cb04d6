"""How a launch leaves for the EHR's sign-in: at once, after a look at the browser's cookies, or in another window.

In the EHR's frame our cookie may get lost (E03), and some EHRs refuse to be framed at sign-in. The ladder: the cookie
in the frame; again, after the clinician allowed it; a window of its own; a clear message. A callback that is not bound
to its browser is not on it.
"""

from collections.abc import Callable
from datetime import datetime

from flask import Response, g, redirect, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from launch.authorization import start_launch
from launch.browser_cookies import set_cookie
from launch.client_authentication import require_accepted
from launch.discovery import Discovery
from launch.endpoints import origin_of
from launch.errors import CookiesBlocked
from launch.facts import note
from launch.handles import NewHandle, Purpose, Rung, WaitingLaunch, kept_cookie, new_handle
from launch.pages import OpenInWindow, RenderPage, SendByPost
from launch.registration import Registration, Transactions, WaitingLaunches
from launch.transaction import TIME_LIMIT, AskedLaunch, cookie_name

COOKIE_SECONDS = int(TIME_LIMIT.total_seconds())


class Departure:
    """Sends browsers to the EHR. Every method returns the answer to one request."""

    def __init__(
        self,
        transactions: Transactions,
        waiting_launches: WaitingLaunches,
        discovery: Discovery,
        render: RenderPage,
        now: Callable[[], datetime],
    ) -> None:
        self._transactions = transactions
        self._waiting_launches = waiting_launches
        self._discovery = discovery
        self._render = render
        self._now = now

    def begin(self, asked: AskedLaunch, registration: Registration, *, is_framed: bool) -> ResponseReturnValue:
        """Answer a launch. A window of its own keeps first-party cookies, so it needs no look."""
        if not is_framed:
            return self._to_ehr(asked, registration, is_framed=False)
        if registration.sign_in == "top_window":
            return self._offer_window(asked, registration, cookie_was_lost=False, rung="frame")
        return self._look_at_cookies(asked, registration, "frame")

    def resume(self, waiting: WaitingLaunch, registration: Registration, *, is_framed: bool) -> ResponseReturnValue:
        """Go on with a launch whose handle was opened: in a new window, or in the frame that may now keep cookies."""
        if is_framed and registration.sign_in == "top_window":
            return self._offer_window(waiting.asked, registration, cookie_was_lost=False, rung="frame")
        return self._look_at_cookies(waiting.asked, registration, "storage_access" if is_framed else "window")

    def after_check(
        self, waiting: WaitingLaunch, registration: Registration, presented: str, *, is_framed: bool
    ) -> ResponseReturnValue:
        """Go on to the EHR if the cookie came back, else one rung down the ladder.

        Raises `CookiesBlocked` when not even a window of its own kept it.
        """
        kept = kept_cookie(waiting, presented)
        note("cookies", cookie_seen=kept)
        if kept:
            return self._to_ehr(waiting.asked, registration, is_framed=is_framed)
        if waiting.rung == "window":
            raise CookiesBlocked("the cookie did not come back, in a window of its own")
        return self._offer_window(waiting.asked, registration, cookie_was_lost=True, rung=waiting.rung)

    def _to_ehr(self, asked: AskedLaunch, registration: Registration, *, is_framed: bool) -> ResponseReturnValue:
        note("discovery", is_framed=is_framed)
        metadata = self._discovery.metadata(registration)
        require_accepted(registration.authentication, metadata)
        started = start_launch(asked, registration, metadata, self._now(), is_framed=is_framed)
        self._transactions.put(started.transaction)
        method, scopes = started.request.method, started.transaction.requested_scopes
        note("authorize", authorize_method=method, requested_scopes=scopes)
        if method == "POST":
            # The form may lead to the sign-in, and from there to wherever else the EHR signs users in.
            endpoint = origin_of(started.request.endpoint, allow_loopback=registration.allow_loopback)
            g.form_action_origins = (endpoint, *sorted(registration.pinned_origins - {endpoint}))
            page = SendByPost(started.request.endpoint, started.request.parameters)
            response: BaseResponse = Response(self._render(page))
        else:
            response = redirect(started.request.url, 303)
        set_cookie(response, started.cookie_name, started.browser_secret, COOKIE_SECONDS)
        return response

    def _look_at_cookies(self, asked: AskedLaunch, registration: Registration, rung: Rung) -> ResponseReturnValue:
        note("cookies")
        new = self._new_handle("check", asked, registration, rung)
        self._waiting_launches.put(new.waiting)
        response = redirect(url_for("launch.check", tx=new.handle), 303)
        set_cookie(response, cookie_name(new.waiting.handle_digest), new.probe, COOKIE_SECONDS)
        return response

    def _offer_window(
        self, asked: AskedLaunch, registration: Registration, *, cookie_was_lost: bool, rung: Rung
    ) -> ResponseReturnValue:
        note("cookies")
        new = self._new_handle("continue", asked, registration, rung)
        self._waiting_launches.put(new.waiting)
        page = OpenInWindow(
            continue_url=url_for("launch.go_on", handle=new.handle),
            cookie_was_lost=cookie_was_lost,
            storage_access_may_help=cookie_was_lost and rung == "frame",
        )
        return Response(self._render(page))

    def _new_handle(self, purpose: Purpose, asked: AskedLaunch, registration: Registration, rung: Rung) -> NewHandle:
        return new_handle(
            purpose,
            registration.tenant_id,
            asked,
            rung,
            self._now(),
            fhir_base=registration.fhir_base,
            client_id=registration.client_id,
        )
