"""The tables of docs/following.md, drawn from the code: who wins for a field, and what ends a write that stopped."""

from app.pages.ending_words import WORDS
from app.reconciliation.authority import FIELDS, Authority
from app.writebacks.endings import MAY, OF_PARKED, OF_STAGE, Ending
from tests.docs.tables import table

WINS = {
    Authority.SIGNATURE: "the signature; a person's change in the EHR stands and is recorded",
    Authority.EHR: "the EHR; no news",
    Authority.COUNTERSIGN: "Countersign; a lost one is named",
}


def authority_table() -> str:
    """One row for each resource type and for who wins, with the fields."""
    rows = [
        (f"`{kind}`", ", ".join(name for name, one in fields.items() if one is wins), words)
        for kind, fields in FIELDS.items()
        for wins, words in WINS.items()
        if wins in fields.values()
    ]
    return table(("Resource", "Fields", "Who wins"), rows)


def endings_table() -> str:
    """One row for each way of stopping."""
    rows = [(f"parked, `{reason}`", _named(endings)) for reason, endings in OF_PARKED.items()]
    rows += [(f"`{stage}`", _named(endings)) for stage, endings in OF_STAGE.items() if endings]
    return table(("A write stands at", "What ends it, the first offered first"), rows)


def who_table() -> str:
    """One row for each ending."""
    rows = [(f"`{one}`", WORDS[one][1], ", ".join(sorted(MAY[one]))) for one in Ending]
    return table(("Ending", "What it does", "Who may"), rows)


def _named(endings: tuple[Ending, ...]) -> str:
    return ", ".join(f"`{one}`" for one in endings)
