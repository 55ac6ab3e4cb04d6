"""The cookie that a clinician allowed in the EHR's frame, also after the way through the EHR's own sign-in.

The Storage Access API gives a frame its cookies back, but only until another site was loaded in it, and a launch goes
to the EHR and returns. A browser that was told "allowed" then says so with the request (Sec-Fetch-Storage-Access:
inactive) and repeats it with cookies when asked to (https://privacycg.github.io/storage-access-headers/; conformance
E03). Asking widens nothing: the person has allowed it, who may frame us stands in frame-ancestors, and every change
needs its token.
"""

from flask import Flask, Response, request

STATUS = "Sec-Fetch-Storage-Access"
ACTIVATE = "Activate-Storage-Access"
# The names of all cookies that launches and charts are bound by begin so.
OURS = "__Host-"


def use_allowed_cookies(app: Flask) -> None:
    """Ask for the request once more where the browser holds back cookies that it may send."""

    @app.before_request
    def ask_again() -> Response | None:
        # Before any view: a one-time code, state or handle must still be good when the request returns.
        if request.method != "GET" or request.headers.get(STATUS) != "inactive":
            return None
        if any(name.startswith(OURS) for name in request.cookies):
            return None
        return Response(status=401, headers={ACTIVATE: "retry; allowed-origin=*", "Vary": STATUS})

    @app.after_request
    def keep_for_the_page(response: Response) -> Response:
        if request.headers.get(STATUS) == "active":
            response.headers[ACTIVATE] = "load"
        return response
