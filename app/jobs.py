"""Long computations beside the page: progress that can be watched, and cancelled.

A job runs in one worker thread of the server, not in the script that draws a
page: Streamlit abandons that script on every click, and a bar may only be moved
from it. So the worker only notes its progress, a fragment of the page looks at
the note, and cancelling makes the next `on_progress` raise `CancelledError`.
Jobs with the same key are one job, whoever asks; it is cancelled when everybody
who asked for it has cancelled. One job runs at a time, so that memory is bounded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

from data.errors import CancelledError, Message, PhuSongError, message

_log = logging.getLogger(__name__)


class State(Enum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


Work = Callable[[Callable[[float], None]], object]


@dataclass(eq=False)
class Job:
    """One computation.

    Attributes
    ----------
    state
        Where it is.
    fraction
        Finished share, 0 to 1.
    error
        What to tell the user where it failed.
    started_at
        When it left the queue, by `time.monotonic`. [s]
    result
        What the computation returned, once it is done.
    """

    state: State = State.WAITING
    fraction: float = 0.0
    error: Message | None = None
    started_at: float | None = None
    result: object = None
    _watchers: set[str] = field(default_factory=set)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (State.WAITING, State.RUNNING)

    def _on_progress(self, fraction: float) -> None:
        if self._cancelled.is_set():
            raise CancelledError
        self.fraction = min(1.0, max(0.0, float(fraction)))

    def _run(self, work: Work) -> None:
        if self._cancelled.is_set():
            self.state = State.CANCELLED
            return
        self.started_at = time.monotonic()
        self.state = State.RUNNING
        try:
            self.result = work(self._on_progress)
        except CancelledError:
            self.state = State.CANCELLED
        except PhuSongError as error:
            self.error = error.message
            self.state = State.FAILED
        except Exception:  # noqa: BLE001 - the last place where it can be caught
            # The thread's end is the last place where anything can be said about it.
            _log.exception("A computation failed")
            self.error = message(
                "The computation failed for a reason the program did not foresee; details are in "
                "the server's log"
            )
            self.state = State.FAILED
        else:
            self.fraction = 1.0
            self.state = State.DONE


class Jobs:
    """The jobs of a server.

    Parameters
    ----------
    workers
        How many run at once; others wait.
    """

    def __init__(self, workers: int = 1) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[Hashable, Job] = {}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")

    def start(self, key: Hashable, work: Work, *, watcher: str = "") -> Job:
        """Start a job, or join the one that is under way for the same key.

        Parameters
        ----------
        key
            What the result depends on.
        work
            The computation; gets a function to report the finished share to,
            which it calls from its own thread and which raises `CancelledError`.
        watcher
            Who asks.

        Returns
        -------
        Job
            Waiting or running.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None or not job.active or job._cancelled.is_set():
                job = Job()
                self._jobs[key] = job
                self._pool.submit(job._run, work)
            job._watchers.add(watcher)
            return job

    def get(self, key: Hashable) -> Job | None:
        """Return the latest job of a key.

        Parameters
        ----------
        key
            What the result depends on.

        Returns
        -------
        Job or None
            None if none was started, or it was forgotten.
        """
        with self._lock:
            return self._jobs.get(key)

    def cancel(self, key: Hashable, *, watcher: str = "") -> None:
        """Withdraw from a job; it stops when nobody is left who asked for it.

        Parameters
        ----------
        key
            What the result depends on.
        watcher
            Who withdraws.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                return
            job._watchers.discard(watcher)
            if not job._watchers:
                job._cancelled.set()

    def forget(self, key: Hashable) -> None:
        """Drop a job that has ended, e.g. after its error was read.

        Parameters
        ----------
        key
            What the result depends on.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and not job.active:
                del self._jobs[key]


#: The jobs of this server.
JOBS = Jobs()
