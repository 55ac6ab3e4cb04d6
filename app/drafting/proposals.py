"""Structured entries proposed beside the note: checked against their evidence, compared with the chart, in words.

Whatever drafts may propose; here each proposal gets the gate's finding, the same proposal twice becomes one, and what
the chart already holds is marked so that nobody is asked to write it again. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.drafting.draft import ClaimState, Draft, Evidence, Proposal, Source
from app.drafting.gate import check
from app.drafting.material import Entry, VisitMaterial
from vendors.entry_values import (
    SIGNS,
    SPOKEN_UNITS,
    Allergy,
    Content,
    FollowUp,
    Medication,
    Message,
    Problem,
    Sign,
    VisitReason,
    VitalSign,
)

LOINC = "http://loinc.org"
MOST = 20


@dataclass(frozen=True)
class Proposed:
    """A proposal before it has been checked: what, and the passages behind it."""

    content: Content
    evidence: tuple[Evidence, ...]


def checked(proposed: Iterable[Proposed], material: VisitMaterial) -> tuple[Proposal, ...]:
    """Each proposal once, with the gate's finding and what the chart holds of it already."""
    read = (material.transcript, *(entry.source for entry in material.entries), *material.documents)
    sources = {one.id: one for one in read if one}
    merged = _once(proposed)
    return tuple(_proposal(number, one, sources, material) for number, one in enumerate(merged[:MOST], start=1))


def rechecked(draft: Draft, material: VisitMaterial) -> Draft:
    """The draft with its proposals checked here, whatever its drafter says of them."""
    again = checked((Proposed(one.content, one.evidence) for one in draft.proposals), material)
    return draft if again == draft.proposals else draft.model_copy(update={"proposals": again})


def finding_of(content: Content, passages: Sequence[str]) -> tuple[ClaimState, str]:
    """Whether the cited passages carry what an entry says, and what to ask where they do not."""
    finding = check(said_by(content), list(passages), [])
    return finding.state, finding.ask


def _once(proposed: Iterable[Proposed]) -> list[Proposed]:
    """The same twice is one, with the evidence of both."""
    found: dict[tuple[str, ...], Proposed] = {}
    for one in proposed:
        key = identity(one.content)
        known = found.get(key)
        evidence = dict.fromkeys((*(known.evidence if known else ()), *one.evidence))
        found[key] = Proposed(known.content if known else one.content, tuple(evidence))
    return list(found.values())


def _proposal(number: int, proposed: Proposed, sources: dict[str, Source], material: VisitMaterial) -> Proposal:
    evidence = tuple(one for one in proposed.evidence if _points_into(one, sources))
    passages = [sources[cited.source_id].text[cited.start : cited.end] for cited in evidence]
    state, ask = finding_of(proposed.content, passages)
    held = _held(proposed.content, material)
    same = next((entry for entry in held if _says_the_same(proposed.content, entry)), None)
    other = held[0] if held and same is None else None
    return Proposal(
        id=f"p{number:02d}",
        content=proposed.content,
        state=state,
        ask=ask,
        evidence=evidence,
        already=same.source.reference if same else "",
        beside=other.source.text.splitlines()[0] if other and other.source.text else "",
    )


def _points_into(evidence: Evidence, sources: Mapping[str, Source]) -> bool:
    """Whether it is a passage of something that was read; what is not is no evidence."""
    source = sources.get(evidence.source_id)
    return source is not None and 0 <= evidence.start < evidence.end <= len(source.text)


def identity(content: Content) -> tuple[str, ...]:
    """What makes two proposals the same one."""
    match content:
        case VitalSign():
            return (content.kind, content.sign, content.value, content.second, content.unit)
        case FollowUp():
            return (content.kind, _plain(content.what), str(content.due or ""))
        case Problem() | Medication():
            return (content.kind, _plain(content.name))
        case Allergy():
            return (content.kind, _plain(content.substance))
        case Message():
            return (content.kind, _plain(content.text))
        case VisitReason():
            return (content.kind, content.aspect, _plain(content.text))


def _held(content: Content, material: VisitMaterial) -> list[Entry]:
    """What the chart, as it was read, holds about the same thing: this visit's only, where it is a measurement."""
    match content:
        case VitalSign():
            sign = SIGNS[content.sign]
            codes = {f"{LOINC}|{code}" for code in (sign.loinc, *(code for code, _ in sign.also))}
            return [one for one in material.of_kind("vital") if one.in_this_visit and codes & set(one.codes)]
        case Problem():
            return [one for one in material.of_kind("condition") if _same_thing(content.name, content, one)]
        case Allergy():
            return [one for one in material.of_kind("allergy") if _same_thing(content.substance, content, one)]
        case Medication():
            return [one for one in material.of_kind("medication") if _same_thing(content.name, content, one)]
        case _:
            return []


def _same_thing(name: str, content: Problem | Allergy | Medication, entry: Entry) -> bool:
    coded = content.coding is not None and f"{content.coding.system}|{content.coding.code}" in entry.codes
    return coded or _plain(name) == _plain(entry.name)


def _says_the_same(content: Content, entry: Entry) -> bool:
    if not isinstance(content, VitalSign):
        return True
    shown = entry.value.replace(".0 ", " ").replace(".0/", "/")
    return shown.split(" ")[0].rstrip("%") == _figures(content)


def _figures(vital: VitalSign) -> str:
    return f"{vital.value}/{vital.second}" if vital.sign is Sign.BLOOD_PRESSURE else vital.value


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def said_by(content: Content) -> str:
    """What the evidence has to carry: the words and figures, without what Countersign reckoned or added itself."""
    match content:
        case VitalSign():
            return f"{content.value} {content.second}".strip()
        case FollowUp():
            return content.what
        case Problem():
            return content.name
        case Allergy():
            return f"{content.substance} {content.reaction}".strip()
        case Message() | VisitReason():
            return content.text
        case Medication():
            return f"{content.name} {content.dosage}".strip()


def in_words(content: Content) -> str:
    """One line for a person, complete: what is read here is what is written."""
    match content:
        case VitalSign():
            unit = SPOKEN_UNITS.get(content.unit, content.unit).replace("/min", "per minute")
            space = "" if unit == "%" else " "
            return f"{SIGNS[content.sign].display} {_figures(content)}{space}{unit}"
        case FollowUp():
            return f"{content.what} (due {content.due.isoformat()})" if content.due else content.what
        case Problem() | VisitReason() | Medication() | Allergy() | Message():
            return _named(content)


def _named(content: Problem | VisitReason | Medication | Allergy | Message) -> str:
    match content:
        case Allergy():
            text = f"{content.substance}: {content.reaction}" if content.reaction else content.substance
        case Medication():
            text = f"{content.name}, {content.dosage}" if content.dosage else content.name
        case Problem():
            text = content.name
        case _:
            return content.text
    return f"{text} [{content.coding.code}]" if content.coding else text
