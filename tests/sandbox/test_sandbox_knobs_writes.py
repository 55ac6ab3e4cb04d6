"""Every way a write can go wrong, asked in process; that connections really break is in test_sandbox_faults."""

import base64
import html
import re
import unicodedata
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from sandbox.errors import NoAnswer
from sandbox.qa.faults import Fault
from sandbox.qa.knobs import KNOBS, NoSuchKnob, usable
from sandbox.qa.stored_text import REWRITES
from sandbox.qa.write_knobs import WRITE_KNOBS
from tests.sandbox.in_process import Asked, encoded

TEXT = "Señora denies fever.\nPulse 71, weight {80} kg \\ 176 lb & rising; no cough."


@pytest.fixture(scope="module")
def shared() -> Asked:
    return Asked()


@pytest.fixture
def ehr(shared: Asked) -> Iterator[Asked]:
    yield shared
    shared.ehr.faults.clear()


def _stored(ehr: Asked, resource_type: str = "DocumentReference") -> int:
    return len(ehr.ehr.store.current(resource_type))


@pytest.mark.parametrize(
    ("fault", "status", "stored"),
    [
        *(
            (f"commit_then_{status}", status, 1)
            for status in (200, 204, 401, 403, 409, 412, 422, 429, 500, 502, 503, 504)
        ),
        *((f"answer_{status}", status, 0) for status in (400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 423)),
        *((f"answer_{status}", status, 0) for status in (202, 302, 307, 429, 500, 502, 503, 504)),
        ("commit_without_location", 201, 1),
        ("commit_then_garbled", 201, 1),
        ("commit_then_invalid", 201, 1),
        ("commit_then_warned", 201, 1),
        ("commit_then_202", 202, 1),
        ("answer_html", 502, 0),
        ("answer_html_as_success", 200, 0),
        ("answer_empty", 200, 0),
        ("token_expired", 401, 0),
    ],
)
def test_a_write_is_answered_wrong_and_done_or_not(ehr: Asked, fault: str, status: int, stored: int) -> None:
    """B23: what is answered says nothing about what was done."""
    before = _stored(ehr)
    ehr.arm(fault)
    assert ehr.ask("POST", "DocumentReference", ehr.note()).status == status
    assert _stored(ehr) - before == stored
    assert ehr.ask("POST", "DocumentReference", ehr.note()).status == 201, "armed for one time only"


@pytest.mark.parametrize(
    ("fault", "kind", "stored"),
    [
        ("drop_connection", "closed", 0),
        ("commit_then_drop", "closed", 1),
        ("reset_connection", "reset", 0),
        ("commit_then_reset", "reset", 1),
        ("hang", "silent", 0),
        ("commit_then_hang", "silent", 1),
    ],
)
def test_a_write_gets_no_answer_and_is_done_or_not(ehr: Asked, fault: str, kind: str, stored: int) -> None:
    """B23."""
    before = _stored(ehr)
    ehr.arm(fault)
    with pytest.raises(NoAnswer) as met:
        ehr.ask("POST", "DocumentReference", ehr.note())
    assert met.value.kind == kind
    assert _stored(ehr) - before == stored


@pytest.mark.parametrize("interaction", ["update", "patch"])
def test_an_update_can_be_done_and_its_answer_lost(ehr: Asked, interaction: str) -> None:
    """B23: the next try under the same version meets 412."""
    note = ehr.file()
    place, how = f"DocumentReference/{note['id']}", {"If_Match": 'W/"1"'}
    body: Any = {**note, "docStatus": "amended"}
    if interaction == "patch":
        body = [{"op": "replace", "path": "/docStatus", "value": "amended"}]
        how["Content_Type"] = "application/json-patch+json"
    ehr.arm("commit_then_500", interaction=interaction)
    method = {"update": "PUT", "patch": "PATCH"}[interaction]
    assert ehr.ask(method, place, body, **how).status == 500
    assert ehr.ask(method, place, body, **how).status == 412
    assert ehr.ask("GET", place).json["docStatus"] == "amended"


def test_what_was_accepted_is_filed_after_a_time_or_after_more_requests(ehr: Asked) -> None:
    """B23: 202 means accepted, and the note is there later."""
    before = _stored(ehr)
    ehr.arm("accept_then_file", seconds=60)
    accepted = ehr.ask("POST", "DocumentReference", ehr.note())
    assert (accepted.status, "Location" in accepted.headers) == (202, False)
    ehr.sandbox.let_time_pass("reference")
    assert _stored(ehr) == before
    ehr.time.at += 61
    ehr.sandbox.let_time_pass("reference")
    assert _stored(ehr) == before + 1
    ehr.arm("accept_then_file", options={"requests": 2})
    ehr.ask("POST", "DocumentReference", ehr.note())
    for stored in (before + 1, before + 2):
        ehr.ask("GET", "Patient/1001")
        assert _stored(ehr) == stored


def test_a_person_can_have_what_was_accepted_filed_at_once(ehr: Asked) -> None:
    """B23."""
    before = _stored(ehr)
    ehr.arm("accept_then_file", seconds=86_400)
    ehr.ask("POST", "DocumentReference", ehr.note())
    assert _stored(ehr) == before
    ehr.edit("file_accepted")
    ehr.edit("file_accepted")
    assert _stored(ehr) == before + 1


def test_retry_after_comes_in_every_form(ehr: Asked) -> None:
    """B23: seconds, a date, the past, thirty years, and nothing that can be read."""

    def said(fault: str, **how: Any) -> str:
        ehr.arm(fault, **how)
        return ehr.ask("POST", "DocumentReference", ehr.note()).headers["Retry-After"]

    assert said("answer_429", seconds=7) == said("answer_503", seconds=7) == "7"
    for fault, away in (("answer_503_date", 7), ("answer_429_date", 7), ("answer_503_past", -3600)):
        assert parsedate_to_datetime(said(fault, seconds=7)).timestamp() == ehr.time.at + away
    assert int(said("answer_429_huge")) > 900_000_000
    assert said("answer_503_garbled") == "soon"


@pytest.mark.parametrize("code", ["duplicate", "conflict", "transient", "throttled", "lock-error", "timeout"])
def test_an_outcome_says_why(ehr: Asked, code: str) -> None:
    """B23."""
    ehr.arm(f"outcome_{code.replace('-', '_')}", options={"text": "said by the knob"})
    issue = ehr.ask("POST", "DocumentReference", ehr.note()).json["issue"][0]
    assert (issue["code"], issue["diagnostics"]) == (code, "said by the knob")


def test_a_search_sees_a_write_later_than_a_read_does(ehr: Asked) -> None:
    """B23."""
    ehr.arm("search_lag", seconds=30)
    note = ehr.file()
    query = f"DocumentReference?patient=1001&identifier={note['identifier'][0]['value']}"
    assert (ehr.ask("GET", f"DocumentReference/{note['id']}").status, ehr.total(query)) == (200, 0)
    ehr.time.at += 31
    assert ehr.total(query) == 1


@pytest.mark.parametrize("name", ["reference", "epic"])
def test_a_text_is_rewritten_and_says_the_same_or_not(ehr: Asked, name: str) -> None:
    """B23: white space, line ends, wrapping, charset, RTF and HTML of the same words; and words that changed."""
    asked = ehr if name == "reference" else Asked("epic", "e1001")
    visit = {"encounter": [{"reference": _visit(asked)}]}
    for fault in REWRITES:
        asked.arm(fault, interaction="create")
        note = asked.file(TEXT, context=visit)
        attachment = note["content"][0]["attachment"]
        if "url" in attachment:
            binary = asked.ehr.store.read("Binary", attachment["url"].partition("/")[2])
            attachment = {**attachment, "data": (binary or {})["data"]}
        same = _words(attachment) == TEXT.split()
        changed = fault in ("text_number_changed", "text_negation_lost", "text_truncated", "rewrite_text")
        assert same is not changed, (fault, _words(attachment))
        assert attachment["data"] != encoded(TEXT), fault


def _visit(asked: Asked) -> str:
    visit = next(v for v in asked.ehr.store.current("Encounter", asked.patient) if v["status"] == "in-progress")
    return f"Encounter/{visit['id']}"


def _words(attachment: dict[str, Any]) -> list[str]:
    raw, kind = base64.b64decode(attachment["data"]), attachment["contentType"]
    text = raw.decode("utf-16" if "utf-16" in kind else "utf-8")
    if kind.startswith("text/html"):
        text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    if kind == "text/rtf":
        text = re.sub(r"\\u(-?\d+)\?", lambda found: chr(int(found[1]) % 65536), text.partition("\\fs20 ")[2][:-1])
        text = re.sub(r"\\([\\{}])", r"\1", text.replace("\\par\n", "\n"))
    return unicodedata.normalize("NFC", text).split()


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ("drop_identifier", ["identifier"]),
        ("drop_identifier_and_text", ["identifier", "content"]),
        ("drop_author", ["author"]),
        ("drop_encounter", ["context.encounter"]),
        ("drop_label", ["meta.security"]),
        ("change_patient", ["subject"]),
        ("change_encounter", ["context.encounter"]),
        ("change_type", ["type"]),
    ],
)
def test_a_note_is_stored_otherwise_than_it_was_sent(ehr: Asked, fault: str, lost: list[str]) -> None:
    """B23: one element is lost or another one, on create and on update alike; the rest is as sent."""
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
    context = {"encounter": [{"reference": _visit(ehr)}]}
    sent = ehr.note(author=[{"reference": "Practitioner/dr-1"}], context=context, meta={"security": [label]})
    ehr.arm(fault, interaction="write", times=2)
    stored = ehr.ask("POST", "DocumentReference", sent).json
    updated = ehr.ask("PUT", f"DocumentReference/{stored['id']}", {**sent, "id": stored["id"]}).json
    for kept in (stored, updated):
        paths = ("identifier", "author", "context.encounter", "meta.security", "subject", "type", "content")
        assert [path for path in paths if _at(kept, path) != _at(sent, path)] == lost


def _at(resource: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        resource = resource.get(name, {})
    return resource


def test_a_measurement_is_stored_one_higher(ehr: Asked) -> None:
    """B23."""
    vital = {"resourceType": "Observation", "status": "final", "code": {"text": "Pulse"}}
    ehr.arm("change_value", resource_type="Observation")
    sent = {**vital, "subject": {"reference": "Patient/1001"}, "valueQuantity": {"value": 71}}
    assert ehr.ask("POST", "Observation", sent).json["valueQuantity"]["value"] == 72


def test_a_provenance_is_refused_and_nothing_else(ehr: Asked) -> None:
    """B23."""
    ehr.arm("provenance_refused", times=None)
    note = ehr.file()
    agent = [{"who": {"reference": "Practitioner/dr-1"}}]
    target = [{"reference": f"DocumentReference/{note['id']}"}]
    sent = {"resourceType": "Provenance", "target": target, "recorded": "2026-11-22T10:00:00Z", "agent": agent}
    assert ehr.ask("POST", "Provenance", sent).status == 422


def test_a_condition_is_honoured_ignored_or_racy(ehr: Asked) -> None:
    """B23."""
    note = ehr.note()
    how = {"If_None_Exist": f"identifier=urn:test|{note['identifier'][0]['value']}"}
    for fault, status in ((None, 201), (None, 200), ("condition_ignored", 201), (None, 412)):
        if fault:
            ehr.arm(fault)
        assert ehr.ask("POST", "DocumentReference", note, **how).status == status
    ehr.arm("condition_racy", seconds=3)
    ehr.ask("POST", "DocumentReference", ehr.note(), If_None_Exist="identifier=urn:test|nobodys")
    assert ehr.time.slept == [3]


def test_a_fault_waits_for_its_request(ehr: Asked) -> None:
    """B23: the third write, whatever its kind, and no other."""
    ehr.arm("answer_503", interaction="write", from_request=3)
    note = ehr.note()
    assert [ehr.ask("POST", "DocumentReference", note).status for _ in range(4)] == [201, 201, 503, 201]
    assert ehr.ehr.faults.armed() == []


def test_chance_by_a_seed_is_the_same_for_the_same_requests(ehr: Asked) -> None:
    """B23: at random by seed, with a probability; another seed, another story."""

    def story(seed: int) -> list[int]:
        ehr.ehr.faults.clear()
        ehr.arm("random", times=None, probability=0.4, seed=seed, options={"knobs": ["answer_429", "commit_then_500"]})
        return [ehr.ask("POST", "DocumentReference", ehr.note()).status for _ in range(30)]

    first = story(3)
    assert first == story(3) != story(8)
    assert {201, 429, 500} == set(first)
    assert 5 <= sum(status != 201 for status in first) <= 20


def test_what_struck_is_counted_and_what_is_armed_is_shown_and_cleared(ehr: Asked) -> None:
    before = ehr.ehr.faults.struck().get("answer_409", 0)
    ehr.arm("answer_409", times=2, from_request=2)
    for _ in range(2):
        ehr.ask("POST", "DocumentReference", ehr.note())
    armed = ehr.ehr.faults.armed()[0]
    assert (armed.fault, armed.times, armed.met) == ("answer_409", 1, 2)
    assert ehr.ehr.faults.struck()["answer_409"] == before + 1
    ehr.ehr.faults.clear("answer_409")
    assert ehr.ehr.faults.armed() == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"fault": "random"}, "options"),
        ({"fault": "random", "options": {"knobs": ["catch_fire"]}}, "catch_fire"),
        ({"fault": "random", "options": {"knobs": ["version_required"]}}, "setting"),
    ],
)
def test_chance_needs_knobs_to_choose_from(fault: dict[str, Any], words: str) -> None:
    with pytest.raises(NoSuchKnob, match=words):
        usable(Fault.model_validate(fault))


def test_every_write_knob_belongs_to_writes_and_has_words() -> None:
    assert all(knob.words and set(knob.on) <= {"create", "update", "patch"} for knob in WRITE_KNOBS.values())
    assert len(KNOBS) > 150
