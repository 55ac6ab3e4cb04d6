"""A sign-in that refuses to be framed, as the browser is told (X-Frame-Options, CSP frame-ancestors)."""

from collections.abc import Callable

from flask import Response, request

# What a browser says that it loads the answer into: https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header
FRAMES = frozenset({"iframe", "frame", "embed", "object"})
NEVER_SEEN = "<!doctype html><title>Sign in</title><p>Sign in.</p>"


def refusing_frames(proceed: Callable[[], Response]) -> Response:
    """Answer as asked in a window of its own; in a frame, a page that the browser will not show.

    Browsers do not enforce the headers on a redirect, so a framed request must get a page and no code.
    """
    framed = request.headers.get("Sec-Fetch-Dest") in FRAMES
    response = Response(NEVER_SEEN, content_type="text/html") if framed else proceed()
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    return response
