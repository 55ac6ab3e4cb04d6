"""The doctor's answer: for a page, for a script, for a terminal, and as a text for the vendor's support."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from app.onboarding.finding import Check, Finding, Outcome

WIDTH = 78
WORDS = {
    Outcome.WRONG: "to change",
    Outcome.ADVICE: "advice",
    Outcome.OPEN: "cannot tell",
    Outcome.FINE: "in order",
}
# What no vendor can repair stays out of the letter to them.
OUR_OWN = frozenset(
    {
        Check.REGISTRATION,
        Check.PUBLIC_URL,
        Check.FRAME_ORIGINS,
        Check.OWN_KEYS,
        Check.OWN_PAGES,
        Check.COOKIES,
    }
)


@dataclass(frozen=True)
class Report:
    """One run for one tenant; findings are in the order in which to work them off.

    `facts` is what a vendor needs to find us in their own logs: no secret and nothing about a patient.
    """

    tenant_id: str
    organization: str
    ran_at: datetime
    findings: tuple[Finding, ...]
    facts: tuple[tuple[str, str], ...]
    support: str

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What has to be changed, causes first."""
        return tuple(finding for finding in self.findings if finding.outcome is Outcome.WRONG)

    @property
    def verdict(self) -> str:
        """The whole in one sentence."""
        causes = sum(finding.because_of is None for finding in self.failed)
        if not self.failed:
            return "Nothing has to be changed."
        things = "One thing has" if causes == 1 else f"{causes} things have"
        rest = len(self.failed) - causes
        follows = f" {rest} more {'follows' if rest == 1 else 'follow'} from that." if rest else ""
        return f"{things} to be changed.{follows}"

    def document(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "tenant": self.tenant_id,
            "ran_at": self.ran_at.isoformat(timespec="seconds"),
            "ok": self.ok,
            "verdict": self.verdict,
            "findings": [{**asdict(finding), "title": finding.title} for finding in self.findings],
            "text_for_the_vendor": self.text(),
        }

    def lines(self) -> list[str]:
        """The report for a terminal."""
        lines = [f"{self.organization} ({self.tenant_id})", self.verdict, ""]
        for finding in self.findings:
            lines += _shown(finding)
        return lines

    @property
    def concerns_the_vendor(self) -> bool:
        """Whether anything failed that the vendor can help with."""
        return any(finding.check not in OUR_OWN for finding in self.failed)

    def text(self) -> str:
        """A letter to the vendor's support: what fails, what was expected, and where to find us. Holds no secret."""
        if not self.concerns_the_vendor:
            return f"There is nothing to send to the vendor of {self.organization}."
        lines = [f"Countersign cannot be launched as it should at {self.organization}.", ""]
        lines += _wrapped(f"To: {self.support}")
        lines += ["", "WHAT WE SEE"]
        for number, finding in enumerate((one for one in self.failed if one.check not in OUR_OWN), 1):
            lines += ["", *_wrapped(f"{number}. {finding.title}.")]
            lines += [*_wrapped(f"Found: {finding.found}", "   "), *_wrapped(f"Needed: {finding.expected}", "   ")]
            if finding.cause:
                lines += _wrapped(f"Most likely because of this: {finding.cause}.", "   ")
        lines += ["", "OUR SIDE", ""]
        lines += [f"{name}: {value}" for name, value in self.facts]
        lines += [f"Time of these checks: {self.ran_at:%Y-%m-%d %H:%M:%S} UTC"]
        return "\n".join(lines)


def _shown(finding: Finding) -> Iterator[str]:
    yield f"  {WORDS[finding.outcome]:<12}{finding.title}"
    labelled = (
        ("found", finding.found),
        ("expected", finding.expected),
        ("change", finding.change),
        ("where", finding.where),
        ("because", finding.cause),
    )
    for label, text in labelled:
        if text:
            yield from _wrapped(text, " " * 25, " " * 14 + f"{label:<11}")


def _wrapped(text: str, indent: str = "", first: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first or indent, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
