"""The port to whatever writes drafts. The embedded drafter is one implementation; a model provider is another."""

from typing import Protocol

from app.drafting.draft import Draft
from app.drafting.material import VisitMaterial


class Drafter(Protocol):
    """Writes a draft from what was read. Must cite: a claim without evidence will be shown as unsupported."""

    name: str
    version: str
    prompt_version: str

    def draft(self, material: VisitMaterial) -> Draft:
        """A draft whose evidence points only into `material`'s sources."""
        ...
