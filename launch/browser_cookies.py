"""The cookies that bind launches to one browser: set when a launch begins, taken back when it is answered."""

from flask import Response, after_this_request, request
from werkzeug.wrappers import Response as BaseResponse


def set_cookie(response: BaseResponse, name: str, value: str, max_age: int) -> None:
    """Give the browser a secret for `max_age` seconds; 0 takes it back."""
    # SameSite=None because the EHR frames us; Partitioned because browsers drop other third-party cookies.
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="None", partitioned=True
    )


def clear_cookie_later(name: str) -> None:
    """Take this cookie from the browser with the answer to this request, whatever the answer will be."""
    if name not in request.cookies:
        return

    @after_this_request
    def clear(response: Response) -> Response:
        set_cookie(response, name, "", 0)
        return response
