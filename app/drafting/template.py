"""The visit-note template: its sections in order, and what is left for the clinician where a section stays empty."""

from dataclasses import dataclass

TEMPLATE_VERSION = "visit-note-1"


@dataclass(frozen=True)
class Section:
    """One section of the note. `left_for_you` is offered where nothing was found; empty: the section is dropped."""

    id: str
    title: str
    left_for_you: str = ""


SECTIONS = (
    Section("hpi", "History of present illness", "History of present illness"),
    Section("answers", "Asked and answered"),
    Section("problems", "Problems"),
    Section("medications", "Medications"),
    Section("allergies", "Allergies"),
    Section("vitals", "Vital signs"),
    Section("exam", "Physical examination", "Physical examination"),
    Section("results", "Results"),
    Section("assessment", "Assessment", "Assessment"),
    Section("plan", "Plan", "Plan"),
)

TITLES = {section.id: section.title for section in SECTIONS}
ORDER = {section.id: index for index, section in enumerate(SECTIONS)}
