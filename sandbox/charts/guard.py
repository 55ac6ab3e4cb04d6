"""What every page of the EHRs says to the browser."""

from flask import Response

# The EHR frames the app, wherever that is; nothing else comes from elsewhere.
CONTENT_SECURITY_POLICY = "default-src 'self'; frame-src http: https:; base-uri 'none'; object-src 'none'"


def guarded(response: Response) -> Response:
    """Add the security headers of a page."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cache-Control"] = "no-store" if response.mimetype == "text/html" else "no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
