"""The same person has another id in every EHR."""

from sandbox.personality import Identifiers


class Ids:
    """Spells the keys of our data files as one vendor spells ids."""

    def __init__(self, rules: Identifiers) -> None:
        self.rules = rules

    def of(self, resource_type: str, key: str) -> str:
        """The id of a resource."""
        patterns = {"Patient": self.rules.patient, "Encounter": self.rules.encounter}
        return patterns.get(resource_type, self.rules.other).format(key=key, type=resource_type)

    def reference(self, resource_type: str, key: str) -> dict[str, str]:
        """A reference to a resource."""
        return {"reference": f"{resource_type}/{self.of(resource_type, key)}"}
