"""What a run of the simulation came to: counts, and each broken promise."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

HARMS = ("lost", "duplicated", "wrong_token", "unsettled")


@dataclass
class Result:
    """What a run came to; `document` is what the command prints."""

    seed: int
    histories: int = 0
    writes: int = 0
    remade: int = 0
    unforeseen: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    harm: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        """Count another part of the same run."""
        self.histories += other.histories
        self.writes += other.writes
        self.remade += other.remade
        self.unforeseen += other.unforeseen
        self.faults += other.faults
        self.harm += other.harm
        self.violations += other.violations

    def broken(self, history: int, invariant: str, write: str, what: str, harm: str = "") -> None:
        """Note a broken promise of one history."""
        self.violations.append({"history": history, "invariant": invariant, "write": write, "what": what})
        if harm:
            self.harm[harm] += 1

    @property
    def ok(self) -> bool:
        """Whether every promise held."""
        return not self.violations

    def document(self) -> dict[str, Any]:
        """The result as JSON."""
        return {
            "histories": self.histories,
            "seed": self.seed,
            "writes": self.writes,
            "faults": dict(sorted(self.faults.items())),
            **{name: self.harm[name] for name in HARMS},
            "remade": self.remade,
            "unforeseen": self.unforeseen,
            "violations": self.violations,
        }
