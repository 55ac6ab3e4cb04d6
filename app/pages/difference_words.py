"""What differs between what was signed and what the EHR holds, as people say it."""

from collections.abc import Iterable

# Of a note; of an entry beside it FHIR's own name of the field is the best there is ("code", "valueQuantity").
WORDS = {
    "text": "the text",
    "patient": "the patient",
    "encounter": "the visit",
    "author": "the author",
    "type": "the kind of note",
    "status": "whether it counts",
    "docStatus": "whether it is final",
    "relatesTo": "its tie to the earlier note",
    "identifier": "the number that Countersign gave it",
    "label": "the mark that an AI assisted",
}


def what_differs(differences: Iterable[str]) -> str:
    """The fields, as in "the text, the author"."""
    return ", ".join(WORDS.get(name, name) for name in differences)
