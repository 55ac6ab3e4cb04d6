"""The wired parts as one value: what pages and jobs receive, so that nothing is reached through globals."""

from dataclasses import dataclass

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.notes.handlers import NoteCommands
from app.notes.prepare import Preparation
from app.notes.sign import Signing
from app.outbox.relay import Relay
from app.publication.drain import Drain
from app.settings import Settings
from app.tenants.ehr import EHRs
from app.tenants.grants import Grants
from app.tenants.registrations import Tenants
from app.writebacks.handlers import WritebackCommands

EXTENSION = "countersign"


@dataclass(frozen=True)
class Collaborators:
    """Every part that a page or a job calls."""

    settings: Settings
    clock: Clock
    database: Database
    tenants: Tenants
    grants: Grants
    ehrs: EHRs
    artifacts: ArtifactStore
    notes: NoteCommands
    preparation: Preparation
    signing: Signing
    writebacks: WritebackCommands
    relay: Relay
    drain: Drain
