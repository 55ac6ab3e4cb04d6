"""What the sandbox's EHRs know of Countersign: what an IT admin would type into their consoles."""

SECRET_NAME = "COUNTERSIGN_LAKESIDE_SECRET"  # noqa: S105 - the name of the variable that holds it


def sandbox_clients(app: str, secret: str) -> dict[str, list[dict[str, object]]]:
    """The registrations of the shipped sandbox tenants for an app at the origin `app`, as the sandbox reads them."""
    return {
        "epic": [_client("countersign-harbor", app, "harbor-epic", _key_set(app))],
        "athenaone": [_client("countersign-lakeside", app, "lakeside-athenaone", _secret(secret))],
    }


def _client(client_id: str, app: str, tenant: str, authentication: dict[str, str]) -> dict[str, object]:
    return {
        "client_id": client_id,
        "launch_url": f"{app}/launch",
        "standalone_url": f"{app}/launch/standalone",
        "redirect_uris": [f"{app}/callback/{tenant}"],
        "auth": authentication,
    }


def _key_set(app: str) -> dict[str, str]:
    return {"method": "private_key_jwt", "jwks_uri": f"{app}/.well-known/jwks.json"}


def _secret(secret: str) -> dict[str, str]:
    return {"method": "client_secret_basic", "secret": secret}
