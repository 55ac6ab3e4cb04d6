"""The only maker of identifiers. All are random: none can be guessed, none says anything about a patient."""

import secrets
from typing import NewType

TenantId = NewType("TenantId", str)
LaunchId = NewType("LaunchId", str)
NoteId = NewType("NoteId", str)
WritebackId = NewType("WritebackId", str)
ArtifactId = NewType("ArtifactId", str)


# Crockford's base 32: no letter that is read as a digit or as another letter.
REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_LENGTH = 8
LOOK_ALIKES = str.maketrans("OIL", "011", "- ")


def new_reference() -> str:
    """A short code that stands on a page, in the log and in a trace, to be read out over the telephone; 40 bits."""
    return "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(REFERENCE_LENGTH))


def read_reference(heard: str) -> str:
    """The code as somebody typed it who heard it: capitals, without spaces and hyphens, look-alikes as digits."""
    return heard.strip().upper().translate(LOOK_ALIKES)


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
