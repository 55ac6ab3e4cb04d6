"""The same question put to real processes: PostgreSQL or SQLite, Redis, web, worker, sweeper, and kill -9.

Time is real here, so many histories are under way at once; each is one note of one clinician in a visit of its own,
some with an addendum, with the EHR's knobs turned for some of its requests. What dies is started again, as a
supervisor does. The profiles in force promise shorter times than the shipped ones (`FASTER`): else an absence takes
minutes to prove.
"""

import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from os import killpg
from pathlib import Path
from random import Random
from typing import Any

import requests
from redis import Redis

from app.chaos.result import Result
from app.chaos.settled import SettledWrite, judge
from app.chaos.signers import EHR, Run, change, open_chart, persist, sign
from app.demo.running import running_demo
from app.event_log.read import read_stream
from app.ids import WritebackId
from app.notes.events import NoteSigned
from app.notes.reading import stream_of
from app.settings import ROOT, Settings
from app.tenants.launches import Launch
from app.wiring import create_app
from app.writebacks.handlers import load
from app.writebacks.state import Stage

TENANT, CLIENT = "reference-hospital", "countersign-reference"
FASTER = {"longest_execution_seconds": 8, "search_lag_seconds": 2}
AT_ONCE = 30
SHARE_CHANGED = 0.3
SETTLED_WITHIN_SECONDS = 240
UNDER_WAY = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED})
# No 202: an EHR that ever answered so is remembered for it, and nothing would be sent again in the rest of the run.
KNOBS = (
    "commit_then_500",
    "answer_500",
    "commit_then_drop",
    "drop_connection",
    "answer_503_date",
    "answer_429",
    "commit_without_location",
    "commit_then_garbled",
    "answer_401",
    "search_lag",
    "answer_html",
)
VICTIMS = ("worker", "worker", "sweeper", "web")
REGISTRATION = """
id: reference-hospital
organization: Reference Hospital
vendor: reference
environment: sandbox
fhir_base: ${COUNTERSIGN_SANDBOX_URL}/reference/fhir
client_id: countersign-reference
authentication: {method: private_key_jwt, algorithm: ES384}
encounter_required: false
frame_origins: ["${COUNTERSIGN_SANDBOX_URL}"]
"""


def run(histories: int, seed: int) -> Result:
    """Play so many histories with real processes. The database is COUNTERSIGN_DATABASE_URL's, else SQLite."""
    result = Result(seed)
    with _running(seed, result) as one:
        for start in range(0, histories, AT_ONCE):
            _play(one, range(start, min(start + AT_ONCE, histories)))
    return result


@contextmanager
def _running(seed: int, result: Result) -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="countersign-chaos-") as folder:
        home = Path(folder)
        smart_config = _faster_profiles(home / "smart-config")
        pace = {"COUNTERSIGN_LEASE_SECONDS": "4", "COUNTERSIGN_SWEEP_SECONDS": "0.5"}
        with running_demo(home, None, COUNTERSIGN_SMART_CONFIG=str(smart_config), **pace) as demo:
            environment = {
                name.removeprefix("COUNTERSIGN_").lower(): value
                for name, value in demo.environment.items()
                if name.startswith("COUNTERSIGN_")
            }
            known = {name: value for name, value in environment.items() if name in Settings.model_fields}
            app = create_app(Settings.model_validate(known))
            one = Run(demo, app, Random(seed), result)  # noqa: S311 - repeatable
            _register(one)
            yield one
            one.parts.database.engine.dispose()


def _faster_profiles(folder: Path) -> Path:
    shutil.copytree(ROOT / "smart-config", folder)
    for tenant in (folder / "tenants").glob("*.yaml"):
        tenant.unlink()
    (folder / "tenants" / f"{TENANT}.yaml").write_text(REGISTRATION)
    profile = folder / "vendors" / f"{EHR}.yaml"
    text = profile.read_text()
    for name, seconds in FASTER.items():
        text = re.sub(rf"({name}: {{value: )\d+", rf"\g<1>{seconds}", text)
    profile.write_text(text)
    return folder


def _register(one: Run) -> None:
    registration = {
        "redirect_uris": [f"{one.demo.app}/callback/{TENANT}"],
        "launch_url": f"{one.demo.app}/launch",
        "auth": {"method": "private_key_jwt", "jwks_uri": f"{one.demo.app}/.well-known/jwks.json"},
    }
    url = f"{one.sandbox}/qa/{EHR}/clients/{CLIENT}"
    requests.put(url, json={"client_id": CLIENT, **registration}, timeout=10).raise_for_status()


def _play(one: Run, numbers: range) -> None:
    """So many histories at once: sign, change some of what was signed, let it settle, judge."""
    one.signed.clear()
    for number, (patient, clinician) in zip(numbers, _charts(one, len(numbers)), strict=True):
        _trouble(one)
        persist(one, partial(sign, one, number, patient, clinician))
        if one.signed and one.dice.random() < SHARE_CHANGED:
            _, launch, note_id = one.dice.choice(one.signed)
            change(one, launch, note_id)
    _settle(one)
    _judge(one)
    one.result.histories += len(numbers)


def _charts(one: Run, count: int) -> list[tuple[str, str]]:
    """So many patients, each with a clinician who is new here: nobody has a note of theirs yet."""
    patients = requests.get(f"{one.sandbox}/qa/{EHR}/patients", timeout=10).json()
    hired = [_hired(one) for _ in range(count)]
    return [(one.dice.choice(patients)["id"], clinician) for clinician in hired]


def _hired(one: Run) -> str:
    url = f"{one.sandbox}/qa/{EHR}/practitioners"
    return str(requests.post(url, json={"name": "Dr. Sim Clinician"}, timeout=10).json()["id"])


def _trouble(one: Run) -> None:
    """Something goes wrong, mostly: a knob is turned for the next request, a process dies, Redis forgets."""
    for _ in range(one.dice.randint(0, 2)):
        knob = one.dice.choice(KNOBS)
        interaction = one.dice.choice(("create", "create", "search", "read"))
        fault = {"fault": knob, "interaction": interaction, "resource_type": "DocumentReference", "seconds": 1}
        if requests.post(f"{one.sandbox}/qa/{EHR}/faults", json=fault, timeout=10).ok:
            one.result.faults[knob] += 1
    if one.dice.random() < 0.4:
        victim = one.dice.choice(VICTIMS)
        with suppress(ProcessLookupError):
            killpg(one.demo.processes.running[victim].pid, signal.SIGKILL)
            one.result.faults[f"kill_9_{victim}"] += 1
    if one.dice.random() < 0.15:
        Redis.from_url(one.demo.environment["COUNTERSIGN_REDIS_URL"]).flushall()
        one.result.faults["redis_flushed"] += 1
    if one.dice.random() < 0.6:
        one.demo.processes.restart_dead()


def _settle(one: Run) -> None:
    """No more faults; who waits for a clinician gets one; until nothing moves any more."""
    requests.delete(f"{one.sandbox}/qa/{EHR}/faults", timeout=10)
    until = time.monotonic() + SETTLED_WITHIN_SECONDS
    while time.monotonic() < until:
        one.demo.processes.restart_dead()
        states = [write.state for write in _writes(one)]
        if not any(state.stage in UNDER_WAY or _is_working(state) for state in states):
            break
        time.sleep(0.5)
    for write in _writes(one):
        if (write.state.stage, write.state.parked_for) == (Stage.PARKED, "reauth"):
            persist(one, partial(_come_back, one, write.launch))
    while time.monotonic() < until and any(write.state.stage in UNDER_WAY for write in _writes(one)):
        time.sleep(0.5)


def _come_back(one: Run, launch: Launch) -> None:
    open_chart(one, launch.patient.removeprefix("Patient/"), launch.fhir_user.removeprefix("Practitioner/"))


def _is_working(state: Any) -> bool:
    return state.stage is Stage.VERIFIED and not state.provenance_settled


def _writes(one: Run) -> list[SettledWrite]:
    found = []
    with one.parts.database.read() as tx:
        for number, launch, note_id in one.signed:
            events = read_stream(tx, launch.tenant_id, stream_of(note_id))
            signed = [event.event for event in events if isinstance(event.event, NoteSigned)]
            for event in signed:
                state = load(tx, launch.tenant_id, WritebackId(event.writeback_id))
                found.append(SettledWrite(number, event.writeback_id, launch, state))
    return found


def _judge(one: Run) -> None:
    held = requests.get(f"{one.sandbox}/qa/{EHR}/resources/DocumentReference", timeout=30).json()
    written = requests.get(f"{one.sandbox}/qa/{EHR}/writes", timeout=30).json()
    writes = _writes(one)
    one.result.writes += len(writes)
    judge(one.result, writes, held, written)
