"""Headers of every response: who may frame us, what may run, and that nothing clinical is cached.

frame-ancestors names the origins of the tenant whose page it is, on error pages too, and nobody while the tenant is
not known.
"""

from flask import Flask, Response, g, request

from app.tenants.directory import Tenants

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action {forms}; base-uri 'none'; object-src 'none'; frame-ancestors {ancestors}"
)


def frame_every_response(app: Flask, tenants: Tenants, public_url: str) -> None:
    """Set the headers on every response of `app`, whatever made it."""
    # By the address that browsers use: behind a proxy the request itself does not know that it came over TLS.
    is_secure = public_url.startswith("https://")

    @app.after_request
    def set_headers(response: Response) -> Response:
        tenant = tenants.get(g.get("tenant_id", ""))
        ancestors = " ".join(tenant.frame_origins) if tenant else "'none'"
        # Where the forms of this one page may lead besides to us: the sign-in of an EHR that is asked by POST.
        forms = " ".join(("'self'", *g.get("form_action_origins", ())))
        response.headers["Content-Security-Policy"] = CSP.format(ancestors=ancestors, forms=forms)
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Never to other sites; to ourselves it must be told, else browsers send "Origin: null" with our own forms.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "clipboard-write=(self)"
        if is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint != "static" and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response
