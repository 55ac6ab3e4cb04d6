"""Is what the EHR stored what was signed? Pure.

Harmless normalisation (white space, line ends, composed or decomposed accents) is named and accepted; another patient,
visit, author, type or wording is drift, which a human decides: also a visit for a note that was signed without one.
A lost identifier or label is named: it weakens later reconciliation, not the note.
"""

import base64
import json
import re
import unicodedata
from dataclasses import dataclass

from vendors.contract import StoredNote


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
        (harmless if _words(text) == _words(stored.text) else serious).append("text")
    checks = {
        "patient": sent["subject"]["reference"] == stored.patient,
        "encounter": _encounter(sent) == stored.encounter,
        "author": tuple(author["reference"] for author in sent["author"]) == stored.authors,
        "type": {(c["system"], c["code"]) for c in sent["type"]["coding"]} <= set(stored.type_codes),
        "status": stored.status == sent["status"],
        "docStatus": stored.doc_status == sent["docStatus"],
    }
    serious += [name for name, is_same in checks.items() if not is_same]
    identifiers = {(one["system"], one["value"]) for one in sent["identifier"]}
    if not identifiers <= set(stored.identifiers):
        harmless.append("identifier")
    labels = {(one["system"], one["code"]) for one in sent.get("meta", {}).get("security", ())}
    if not labels <= set(stored.labels):
        harmless.append("label")
    return Comparison(tuple(harmless), tuple(serious))


def _words(text: str) -> list[str]:
    return re.split(r"\s+", unicodedata.normalize("NFC", text).strip())


def _encounter(sent: dict[str, dict[str, list[dict[str, str]]]]) -> str | None:
    encounters = sent.get("context", {}).get("encounter") or [{}]
    return encounters[0].get("reference")
