"""Jobs run beside the page, can be watched and cancelled, and never take the app down."""

import threading
import time

import pytest

from app.jobs import Jobs, State
from data.errors import InputError


def wait(job, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while job.active and time.monotonic() < end:
        time.sleep(0.005)
    assert not job.active


def steps(release: threading.Event | None = None):
    """Work that reports a thousand times, and waits to be released after the first."""

    def work(on_progress) -> None:
        for step in range(1000):
            on_progress(step / 1000)
            if release is not None:
                release.wait(0.01)

    return work


def test_a_job_reports_and_ends() -> None:
    job = Jobs().start("k", steps())
    wait(job)
    assert job.state is State.DONE
    assert job.fraction == 1.0


def test_cancelling_stops_the_work() -> None:
    jobs = Jobs()
    job = jobs.start("k", steps(threading.Event()), watcher="a")
    while job.fraction == 0.0:
        time.sleep(0.002)
    jobs.cancel("k", watcher="a")
    wait(job)
    assert job.state is State.CANCELLED
    assert job.fraction < 0.5


def test_a_job_lives_as_long_as_somebody_wants_it() -> None:
    jobs = Jobs()
    first = jobs.start("k", steps(threading.Event()), watcher="a")
    assert jobs.start("k", steps(), watcher="b") is first
    jobs.cancel("k", watcher="a")
    time.sleep(0.05)
    assert first.active
    jobs.cancel("k", watcher="b")
    wait(first)
    assert first.state is State.CANCELLED


def test_a_waiting_job_can_be_cancelled_before_it_runs() -> None:
    jobs = Jobs(workers=1)
    gate = threading.Event()
    running = jobs.start("one", lambda _: gate.wait(5.0), watcher="a")
    waiting = jobs.start("two", lambda _: pytest.fail("must not run"), watcher="a")
    assert waiting.state is State.WAITING
    jobs.cancel("two", watcher="a")
    gate.set()
    wait(running)
    wait(waiting)
    assert waiting.state is State.CANCELLED


def test_a_cancelled_job_can_be_started_again() -> None:
    jobs = Jobs()
    first = jobs.start("k", steps(threading.Event()), watcher="a")
    jobs.cancel("k", watcher="a")
    second = jobs.start("k", steps(), watcher="a")
    assert second is not first
    wait(second)
    assert second.state is State.DONE


def test_bad_input_is_told_in_its_own_words() -> None:
    def work(_) -> None:
        raise InputError("{file} is empty", file="a.csv")

    job = Jobs().start("k", work)
    wait(job)
    assert job.state is State.FAILED
    assert str(job.error) == "a.csv is empty"


def test_what_was_not_foreseen_is_told_readably(caplog) -> None:
    def work(_) -> None:
        raise ZeroDivisionError

    jobs = Jobs()
    job = jobs.start("k", work)
    wait(job)
    assert job.state is State.FAILED
    assert "server's log" in str(job.error)
    assert "ZeroDivisionError" in caplog.text
    again = jobs.start("after", steps())
    wait(again)
    assert again.state is State.DONE


def test_an_ended_job_can_be_forgotten() -> None:
    jobs = Jobs()
    job = jobs.start("k", steps())
    wait(job)
    jobs.forget("k")
    assert jobs.get("k") is None
    jobs.cancel("k")  # nothing to cancel, no error


def test_a_job_keeps_what_its_work_returned() -> None:
    job = Jobs().start("sum", lambda _progress: 42)
    wait(job)
    assert job.state is State.DONE
    assert job.result == 42
