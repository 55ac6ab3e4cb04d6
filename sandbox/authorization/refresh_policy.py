"""Who gets a refresh token."""

from sandbox.authorization.clients import Client
from sandbox.personality import Authorization


def refresh_is_granted(rules: Authorization, client: Client, scope: str) -> bool:
    """By the kind of client at some vendors, by scope at the others."""
    if rules.refresh == "confidential_client":
        return client.confidential
    return bool({"offline_access", "online_access"} & set(scope.split()))
