"""Is what the EHR stored what was signed? Pure.

Harmless normalisation (white space, line ends, wrapping, composed or decomposed accents, typographic quotes and dashes,
an HTML or RTF rendering that shows the same words) is named and accepted; another patient, visit, author, type, wording
or tie to an earlier note is drift, which a human decides: also a visit for a note that was signed without one. A lost
identifier or label is named: it weakens later reconciliation, not the note.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from vendors.contract import StoredNote
from vendors.wording import same_words


@dataclass(frozen=True)
class Comparison:
    """What differs: `harmless` and `serious` hold the names of fields, empty when identical."""

    harmless: tuple[str, ...]
    serious: tuple[str, ...]

    @property
    def same(self) -> bool:
        """True when the meaning is what was signed."""
        return not self.serious

    @property
    def all(self) -> tuple[str, ...]:
        """Every difference, serious ones first."""
        return self.serious + self.harmless


def compare(payload: bytes, stored: StoredNote) -> Comparison:
    """Compare the signed payload with what was read back."""
    sent = json.loads(payload)
    harmless: list[str] = []
    serious: list[str] = []
    text = base64.b64decode(sent["content"][0]["attachment"]["data"]).decode()
    if text != stored.text:
        (harmless if same_words(text, stored.text) else serious).append("text")
    checks = {
        "patient": sent["subject"]["reference"] == stored.patient,
        "encounter": _encounter(sent) == stored.encounter,
        "author": tuple(author["reference"] for author in sent["author"]) == stored.authors,
        "type": {(c["system"], c["code"]) for c in sent["type"]["coding"]} <= set(stored.type_codes),
        "status": stored.status == sent["status"],
        "docStatus": stored.doc_status == sent["docStatus"],
    }
    if not _is_tied(sent, stored):
        checks["relatesTo"] = False
    serious += [name for name, is_same in checks.items() if not is_same]
    identifiers = {(one["system"], one["value"]) for one in sent["identifier"]}
    if not identifiers <= set(stored.identifiers):
        harmless.append("identifier")
    labels = {(one["system"], one["code"]) for one in sent.get("meta", {}).get("security", ())}
    if not labels <= set(stored.labels):
        harmless.append("label")
    return Comparison(tuple(harmless), tuple(serious))


def _is_tied(sent: dict[str, Any], stored: StoredNote) -> bool:
    """Whether each earlier note that was named still is, by its reference or by our identifier (C36)."""
    return all(
        any(
            one.code == tie["code"]
            and (
                (one.reference and one.reference == tie["target"].get("reference"))
                or (one.identifier_system, one.identifier_value) == _identifier(tie["target"])
            )
            for one in stored.relates_to
        )
        for tie in sent.get("relatesTo", ())
    )


def _identifier(target: dict[str, Any]) -> tuple[str, str]:
    identifier = target.get("identifier", {})
    return str(identifier.get("system", "")), str(identifier.get("value", ""))


def _encounter(sent: dict[str, Any]) -> str | None:
    encounters = sent.get("context", {}).get("encounter") or [{}]
    reference: str | None = encounters[0].get("reference")
    return reference
