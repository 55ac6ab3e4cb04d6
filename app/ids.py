"""The only maker of identifiers. All are random: none can be guessed, none says anything about a patient."""

import secrets
from typing import NewType

TenantId = NewType("TenantId", str)
LaunchId = NewType("LaunchId", str)
NoteId = NewType("NoteId", str)
WritebackId = NewType("WritebackId", str)
ArtifactId = NewType("ArtifactId", str)


def new_launch_id() -> LaunchId:
    """192 random bits, URL-safe: it names a launch in every URL, but opens nothing without the launch's cookie."""
    return LaunchId(secrets.token_urlsafe(24))


def new_note_id() -> NoteId:
    """128 random bits as hexadecimal."""
    return NoteId(secrets.token_hex(16))


def new_writeback_id() -> WritebackId:
    """128 random bits as hexadecimal."""
    return WritebackId(secrets.token_hex(16))


def new_artifact_id() -> ArtifactId:
    """128 random bits as hexadecimal."""
    return ArtifactId(secrets.token_hex(16))
