"""Cross-site request forgery: SameSite=None cookies travel with every request, so each change proves where it is from.

Two proofs, both needed: the browser's own Origin header names us, and the form carries a token that only a page of
this launch was given.
"""

import hashlib
import hmac

from flask import Request

from app.errors import NotAllowed

FIELD = "csrf"
HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def csrf_token(browser_secret: str) -> str:
    """The token for the forms of one launch, derived from its cookie's secret."""
    return hmac.new(browser_secret.encode(), b"countersign csrf", hashlib.sha256).hexdigest()


def require_same_origin(request: Request, browser_secret: str, public_url: str) -> None:
    """Raises `NotAllowed` unless a changing request carries both proofs."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Origin") != public_url:
        raise NotAllowed("The request did not come from a page of Countersign.")
    given = request.headers.get(HEADER) or request.form.get(FIELD, "")
    if not hmac.compare_digest(given.encode(), csrf_token(browser_secret).encode()):
        raise NotAllowed("The page was too old, or was opened for another session.")
