"""What an event is: an immutable fact with a stable tag. Rooms declare theirs in their own `events.py`.

The law of growth: a new field comes last and has a default; anything else is a new tag. Tags are never reused.
Payloads hold identifiers, codes and digests; clinical text lives in artifacts, which events only refer to.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import Corrupt


class Event(BaseModel):
    """A fact. Subclasses set `tag`, and `schema_version` when a shape has grown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: ClassVar[str]
    schema_version: ClassVar[int] = 1

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the tag; two events with one tag fail at import."""
        super().__pydantic_init_subclass__(**kwargs)
        if CATALOGUE.setdefault(cls.tag, cls) is not cls:
            raise TypeError(f"the event tag {cls.tag!r} is taken by {CATALOGUE[cls.tag].__name__}")

    def fields(self) -> dict[str, Any]:
        """The event's own fields as JSON values."""
        return self.model_dump(mode="json")

    def recorded_fields(self) -> dict[str, Any]:
        """Those fields alone that the log holds: what its class grew since then is not among them."""
        return self.model_dump(mode="json", exclude_unset=True)


CATALOGUE: dict[str, type[Event]] = {}


class ArtifactRef(BaseModel):
    """Points at a sealed artifact and commits to its ciphertext: the text can be erased, the fact cannot be altered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact_id: str
    digest: str


def event_from(tag: str, payload: bytes) -> Event:
    """The typed event behind a stored row. Raises `Corrupt` for a tag or a shape that no room declares."""
    if tag not in CATALOGUE:
        raise Corrupt(f"The log holds an event {tag!r} that this version does not know.")
    try:
        return CATALOGUE[tag].model_validate_json(payload)
    except ValidationError as error:
        raise Corrupt(f"The log holds an event {tag!r} in a shape that this version does not know.") from error


def referenced_artifacts(event: Event) -> Iterator[ArtifactRef]:
    """Every artifact that the event refers to."""
    for name in type(event).model_fields:
        value = getattr(event, name)
        if isinstance(value, ArtifactRef):
            yield value
