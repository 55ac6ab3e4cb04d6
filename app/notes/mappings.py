"""Every way in which a signed snapshot was, is, or may soon be turned into a resource, side by side.

A mapping never changes its meaning: what was rendered under it must come out the same for ever. A change is a new one,
which stands here beside the one in use, so that `countersign log replay --mapping` can say what it would do. The one
in use is `MAPPING_VERSION` of the snapshot room; the last of a kind is the next.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from app.notes.entries import EntrySnapshot
from app.notes.snapshot import ENTRY_MAPPING_VERSION, MAPPING_VERSION, Snapshot, as_signed_entry, as_signed_note
from vendors.contract import SignedNote
from vendors.entries import SignedEntry

NoteMapping = Callable[[Snapshot], SignedNote]
EntryMapping = Callable[[Snapshot, EntrySnapshot], SignedEntry]


def with_the_visits_day(snapshot: Snapshot) -> SignedNote:
    """As `note-1`, with the day of the visit in the title: lists in a chart often show nothing but titles."""
    note = as_signed_note(snapshot)
    day = (snapshot.visit_start or snapshot.signed_at).date()
    return replace(note, title=f"{note.title}, {day.isoformat()}")


NOTES: Mapping[str, NoteMapping] = {"note-1": as_signed_note, "note-2": with_the_visits_day}
ENTRIES: Mapping[str, EntryMapping] = {"entry-1": as_signed_entry}

if MAPPING_VERSION not in NOTES or ENTRY_MAPPING_VERSION not in ENTRIES:
    raise TypeError("a mapping in use is not among those that can be replayed")
