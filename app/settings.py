"""Settings: the one reader of the process environment. Names are `COUNTERSIGN_<FIELD>`; see README, "Settings"."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything an operator may set; each field is one environment variable.

    The defaults are the embedded ones: SQLite and a Redis-compatible server in `home`, so that one command
    runs everything on a laptop. Production sets `database_url`, `redis_url`, `public_url` and `sealing_keys`.
    """

    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", frozen=True)

    home: Path = Field(default=Path(".countersign"), description="Where the embedded defaults keep their files.")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in the home directory.")
    redis_url: str = Field(default="", description="Redis URL; empty: the embedded server's socket in home.")
    public_url: str = Field(
        default="http://app.localhost:8410", description="Origin under which browsers reach the app."
    )
    sandbox_url: str = Field(
        default="http://ehr.localhost:8411",
        description="Origin of the sandbox EHR; fills ${COUNTERSIGN_SANDBOX_URL}.",
    )
    smart_config: Path = Field(default=ROOT / "smart-config", description="Vendor profiles and tenant registrations.")
    sealing_keys: str = Field(
        default="",
        description="Comma-separated id:base64 AES-256 keys, newest first; empty: a key file in home.",
    )
    lease_seconds: float = Field(default=120, gt=0, description="How long one worker may hold one write-back.")
    sweep_seconds: float = Field(default=2, gt=0, description="Pause between two sweeps of the outbox.")
    launch_hours: float = Field(default=12, gt=0, description="How long a launch stays usable in the browser.")

    @cached_property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'countersign.db'}"

    @cached_property
    def redis(self) -> str:
        """The Redis URL in force."""
        return self.redis_url or f"unix://{self.home.resolve() / 'redis.sock'}"

    def references(self) -> Mapping[str, str]:
        """What `${NAME}` in a tenant's file may refer to: the environment, and where the sandbox is."""
        return {**os.environ, "COUNTERSIGN_SANDBOX_URL": self.sandbox_url}
