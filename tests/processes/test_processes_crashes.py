"""Killing what can be killed: nothing signed is lost, and nothing is filed twice (I1 to I4, F02 to F07, F34)."""

import os
import signal

import pytest
import requests
from sqlalchemy import create_engine, func, select

from app.db import Database
from app.demo.running import Demo
from app.event_log.tables import events
from tests.databases import PostgreSQLServer
from tests.processes.clinician import Browser, Chart, eventually, our_notes, sandbox_of
from tests.processes.conftest import Running


def kill_worker(demo: Demo) -> None:
    process = demo.processes.running["worker"]
    process.send_signal(signal.SIGKILL)
    process.wait()


def start_worker(demo: Demo) -> None:
    assert demo.processes.restart_dead() == ["worker"]


def recorded(running: Running, tag: str) -> int:
    """How many events of this kind the log holds."""
    url = running.demo.environment.get("COUNTERSIGN_DATABASE_URL")
    engine = create_engine(url or f"sqlite:///{running.demo.home / 'countersign.db'}")
    try:
        with Database(engine).read() as tx:
            return tx.execute(select(func.count()).select_from(events).where(events.c.tag == tag)).scalar_one()
    finally:
        engine.dispose()


def test_a_worker_killed_after_the_send_and_before_the_record_leaves_one_note_and_ends_verified(
    running: Running,
) -> None:
    """F06, F34."""
    demo = running.demo
    chart = Browser(demo).open_chart(patient="Rivera, Ana")
    before = len(our_notes(demo))
    fault = {"interaction": "create", "resource_type": "DocumentReference", "fault": "commit_then_hang"}
    sandbox_of(demo).arm("epic", **fault, seconds=5)

    chart.signed()
    eventually("the EHR has stored it", lambda: len(our_notes(demo)) == before + 1)
    filed_before = recorded(running, "writeback:filed")
    kill_worker(demo)
    assert "Being sent" in chart.status()
    start_worker(demo)

    reference = chart.wait_until_verified()
    notes = our_notes(demo)
    assert len(notes) == before + 1
    assert reference == f"DocumentReference/{notes[-1]['id']}"
    assert recorded(running, "writeback:filed") == filed_before + 1


def test_a_worker_killed_before_anything_was_sent_leaves_the_note_to_the_next_one(running: Running) -> None:
    """F05, F34."""
    demo = running.demo
    chart = Browser(demo).open_chart(patient="Cho, Raymond")
    writes = len(sandbox_of(demo).qa("epic", "writes"))
    demo.processes.running["worker"].send_signal(signal.SIGSTOP)  # so that it is there and yet does nothing

    chart.signed()
    kill_worker(demo)
    assert "Waiting to be sent" in chart.status()
    assert len(sandbox_of(demo).qa("epic", "writes")) == writes
    start_worker(demo)

    chart.wait_until_verified()
    assert len(our_notes(demo, patient="Cho, Raymond")) == 1


def test_a_worker_that_sleeps_through_its_lease_changes_nothing_when_it_wakes(running: Running) -> None:
    """F07, F32: it was sent, the answer never read; another worker has settled it when the first one wakes."""
    demo = running.demo
    chart = Browser(demo).open_chart(patient="Brandt, Walter Emil")
    fault = {"interaction": "create", "resource_type": "DocumentReference", "fault": "commit_then_hang"}
    sandbox_of(demo).arm("epic", **fault, seconds=5)

    chart.signed()
    eventually("the EHR has stored it", lambda: len(our_notes(demo, patient="Brandt, Walter Emil")) == 1)
    sleeper = demo.processes.running["worker"]
    sleeper.send_signal(signal.SIGSTOP)
    demo.processes.start("second-worker", "-m", "app.cli", "worker")
    try:
        chart.wait_until_verified()
        happened = recorded(running, "writeback:verified")
        sleeper.send_signal(signal.SIGCONT)
        eventually("the sleeper learns that it was fenced", lambda: "lease_lost" in demo.processes.last_lines("worker"))
        assert recorded(running, "writeback:verified") == happened
        assert len(our_notes(demo, patient="Brandt, Walter Emil")) == 1
    finally:
        sleeper.send_signal(signal.SIGCONT)
        second = demo.processes.running.pop("second-worker")
        second.terminate()
        second.wait()


@pytest.mark.parametrize("running", ["sqlite"], indirect=True)
def test_a_worker_that_is_told_to_stop_ends_what_it_is_sending(running: Running) -> None:
    """F35: SIGTERM during a send; its answer is recorded, and nothing is in doubt afterwards."""
    demo = running.demo
    chart = Browser(demo).open_chart(patient="Sorensen, Helen")
    doubts = recorded(running, "writeback:outcome:unknown")
    fault = {"interaction": "create", "resource_type": "DocumentReference", "fault": "slow"}
    sandbox_of(demo).arm("epic", **fault, seconds=1)

    chart.signed()
    eventually("it is being sent", lambda: "Being sent" in chart.status())
    worker = demo.processes.running["worker"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert recorded(running, "writeback:outcome:unknown") == doubts
    assert len(our_notes(demo, patient="Sorensen, Helen")) == 1
    start_worker(demo)

    chart.wait_until_verified()
    assert len(our_notes(demo, patient="Sorensen, Helen")) == 1


def test_what_redis_forgets_the_sweeper_finds(running: Running) -> None:
    """F02, F03: Redis holds hints; everything in it is found again from the outbox."""
    demo = running.demo
    chart = Browser(demo).open_chart(patient="Nair, Priya")
    demo.processes.running["worker"].send_signal(signal.SIGSTOP)

    chart.signed()
    running.client().flushall()
    demo.processes.running["worker"].send_signal(signal.SIGCONT)

    chart.wait_until_verified()
    assert len(our_notes(demo, patient="Nair, Priya")) == 1


def test_without_redis_for_the_whole_run_nothing_is_lost_and_it_is_filed_when_redis_is_back(
    running: Running,
) -> None:
    """F03: signed, copied and looked at without a queue; what waits is sent when there is one again."""
    demo = running.demo
    running.redis.stop()

    chart = Browser(demo).open_chart(patient="Varga, Tomas")
    chart.signed()
    copied = Browser(demo).open_chart("athenaone").signed()
    assert "Waiting to be sent" in chart.status()
    assert copied.post("note/copied").status_code == 303
    assert our_notes(demo, patient="Varga, Tomas") == []
    running.restart_redis()
    demo.processes.restart_dead()

    chart.wait_until_verified()
    assert len(our_notes(demo, patient="Varga, Tomas")) == 1


@pytest.mark.parametrize("running", ["postgresql"], indirect=True)
def test_a_database_that_crashes_in_the_middle_of_everything_loses_nothing_and_doubles_nothing(
    running: Running, postgresql: PostgreSQLServer
) -> None:
    """F08, F37: one note is being sent, two wait, when the power goes; what was committed is played back."""
    demo = running.demo
    patients = ("Rahman, Aisha", "Whitfield, George Alan", "Marchetti, Sofia Elena")
    fault = {"interaction": "create", "resource_type": "DocumentReference", "fault": "commit_then_hang"}
    sandbox_of(demo).arm("epic", **fault, seconds=5)

    charts = {patient: Browser(demo).open_chart(patient=patient).signed() for patient in patients}
    eventually("the EHR has stored the first", lambda: our_notes(demo, patient=patients[0]))
    postgresql.crash_and_start_again()
    demo.processes.restart_dead()

    for patient, chart in charts.items():
        eventually("the page is there again", lambda page=chart: answers(page))
        chart.wait_until_verified()
        assert len(our_notes(demo, patient=patient)) == 1


def test_a_web_process_killed_after_the_signature_loses_nothing(running: Running) -> None:
    demo = running.demo
    chart = Browser(demo).open_chart(patient="Lindqvist, Mateo")
    chart.signed()

    web = demo.processes.running["web"]
    os.killpg(web.pid, signal.SIGKILL)  # gunicorn and its workers, all at once
    web.wait()
    assert "web" in demo.processes.restart_dead()

    eventually("the page is there again", lambda: answers(chart))
    chart.wait_until_verified()
    assert len(our_notes(demo, patient="Lindqvist, Mateo")) == 1


def answers(chart: Chart) -> bool:
    try:
        return chart.get("note").ok
    except requests.ConnectionError:
        return False
