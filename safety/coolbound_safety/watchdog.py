"""Bounds the time that one decision may take.

The decision runs in a worker thread; when its time is up the caller goes on without
it, and the next decision gets a new worker. A thread, not a process: a decision needs
the compiled programs and the memory of the steps before, which a process would have
to be sent each time (slower than the decision) and would lose when killed (half a
minute to compile again). Everything that can run long gives the interpreter's lock
back while it does: XLA, Clarabel and HiGHS in their own code, our active set in
Python. A thread cannot be killed, so one that hangs is left behind and its late answer
is thrown away; after `most_stuck` of them no more are started, and every decision is
late at once. What stops the whole process no thread can see: the building automation
system watches the heartbeat for that.
"""

import dataclasses
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final, final

LIMIT_S: Final = 1.0
"""Time for one decision. [s]"""

MOST_STUCK: Final = 4
"""Workers that may hang before no more are started. [1]"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one task.

    Attributes:
        value: What it returned; None where it did not.
        error: What it raised; None where it did not.
        is_late: True where its time was up, or no worker could be started.
        seconds: Until the caller went on. [s]
    """

    value: Any
    error: BaseException | None
    is_late: bool
    seconds: float

    @property
    def is_ok(self) -> bool:
        """True where it returned in time."""
        return self.error is None and not self.is_late


@final
class Watchdog:
    """Runs one task at a time, each within a time limit."""

    def __init__(self, limit_s: float = LIMIT_S, most_stuck: int = MOST_STUCK) -> None:
        """Start nothing yet.

        Args:
            limit_s: Time for one task, above 0. [s]
            most_stuck: Workers that may hang before no more are started. [1]

        Raises:
            ValueError: The limit is not above 0.
        """
        if not limit_s > 0.0:
            raise ValueError(
                f"limit_s: found {limit_s!r}, expected a time above 0; give seconds"
            )
        self.limit_s = limit_s
        self._most_stuck = most_stuck
        self._stuck: list[_Worker] = []
        self._worker: _Worker | None = None

    @property
    def stuck(self) -> int:
        """Return how many workers still hang [1]."""
        self._stuck = [worker for worker in self._stuck if worker.is_alive]
        return len(self._stuck)

    def run(self, task: Callable[[], Any]) -> Outcome:
        """Return what became of the task, at the latest when its time is up."""
        start = time.perf_counter()
        if self._worker is None:
            if self.stuck >= self._most_stuck:
                return Outcome(None, None, True, time.perf_counter() - start)
            self._worker = _Worker()
        found = self._worker.ask(task, self.limit_s)
        seconds = time.perf_counter() - start
        if found is None:
            self._stuck.append(self._worker)
            self._worker = None
            return Outcome(None, None, True, seconds)
        return Outcome(*found, False, seconds)

    def close(self) -> None:
        """Let the worker end; a new task starts a new one."""
        if self._worker is not None:
            self._worker.dismiss()
            self._worker = None


_Answer = tuple[Any, BaseException | None]


class _Worker:
    """A daemon thread that runs tasks until one comes too late."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def ask(self, task: Callable[[], Any], limit_s: float) -> _Answer | None:
        """Return value and error, or None when the time is up."""
        self._tasks.put(task)
        try:
            return self._answers.get(timeout=limit_s)
        except queue.Empty:
            self.dismiss()
            return None

    def dismiss(self) -> None:
        self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                answer = (task(), None)
            except BaseException as error:  # Whatever a task does, the loop goes on.
                answer = (None, error)
            self._answers.put(answer)
