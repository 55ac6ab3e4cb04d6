"""The end of a launch: who, about whom, with which access."""

from dataclasses import dataclass

from launch.context import LaunchContext
from launch.grant import Grant
from launch.identity import Identity


@dataclass(frozen=True)
class CompletedLaunch:
    """A launch that passed every check. `issuer` is the FHIR base, exactly as registered."""

    tenant_id: str
    issuer: str
    identity: Identity
    context: LaunchContext
    grant: Grant
