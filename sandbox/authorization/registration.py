"""What an EHR knows about an app, as a file or the QA API says it. Nothing keeps it from being wrong."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator


class ClientAuthentication(BaseModel):
    """How the app proves who it is at the token endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["private_key_jwt", "client_secret_basic", "none"]
    secret: str | None = None
    jwks_uri: str | None = None

    @model_validator(mode="after")
    def _proof_is_there(self) -> Self:
        if self.method == "private_key_jwt" and self.jwks_uri is None:
            raise ValueError("private_key_jwt needs a jwks_uri")
        if self.method == "client_secret_basic" and self.secret is None:
            raise ValueError("client_secret_basic needs a secret")
        return self


class Registration(BaseModel):
    """One registered app.

    `standalone_url` is where a launch without a chart begins; None: at the launch URL. `scopes` None means what the
    EHR offers. A `disabled` app is unknown from the authorize endpoint on; one whose
    registration has `expired` gets codes and no tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    redirect_uris: tuple[str, ...]
    launch_url: str
    standalone_url: str | None = None
    auth: ClientAuthentication
    scopes: tuple[str, ...] | None = None
    status: Literal["active", "expired", "disabled"] = "active"
