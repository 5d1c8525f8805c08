"""A decision that is slow, hangs or crashes never keeps the next one waiting."""

import importlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from coolbound_safety.watchdog import Watchdog


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event that hanging tasks wait for; set at the end, so that none is left."""
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_in_time_is_handed_on() -> None:
    outcome = Watchdog(limit_s=30.0).run(lambda: 42)
    assert outcome.is_ok
    assert outcome.value == 42


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("x"), MemoryError(), RecursionError(), SystemExit(3)]
)
def test_a_crash_is_told_and_the_same_worker_goes_on(error: BaseException) -> None:
    def crash() -> None:
        raise error

    watchdog = Watchdog(limit_s=30.0)
    first = watchdog.run(threading.get_ident).value
    outcome = watchdog.run(crash)
    assert outcome.error is error
    assert not outcome.is_ok
    assert not outcome.is_late
    assert watchdog.run(threading.get_ident).value == first


def test_a_task_that_hangs_is_left_behind(gate: threading.Event) -> None:
    watchdog = Watchdog(limit_s=0.05)
    outcome = watchdog.run(gate.wait)
    assert outcome.is_late
    assert outcome.value is None
    assert outcome.seconds >= 0.05
    assert watchdog.stuck == 1
    watchdog.limit_s = 30.0
    assert watchdog.run(lambda: "next").value == "next"


def test_a_late_answer_is_never_taken_for_the_next(gate: threading.Event) -> None:
    def late() -> str:
        gate.wait()
        return "late"

    watchdog = Watchdog(limit_s=0.05)
    assert watchdog.run(late).is_late
    gate.set()
    watchdog.limit_s = 30.0
    assert [watchdog.run(lambda k=k: k).value for k in range(20)] == list(range(20))


def test_python_code_that_never_pauses_is_cut_short_too() -> None:
    stop = []

    def spin() -> None:
        while not stop:
            pass

    watchdog = Watchdog(limit_s=0.05)
    outcome = watchdog.run(spin)
    stop.append(True)
    assert outcome.is_late


def test_hanging_workers_do_not_pile_up(gate: threading.Event) -> None:
    watchdog = Watchdog(limit_s=0.02, most_stuck=2)
    for _ in range(5):
        assert watchdog.run(gate.wait).is_late
    assert watchdog.stuck == 2
    called = []
    assert watchdog.run(lambda: called.append(1)).is_late
    assert called == []
    gate.set()
    deadline = time.monotonic() + 30.0
    while watchdog.stuck and time.monotonic() < deadline:
        time.sleep(0.005)
    watchdog.limit_s = 30.0
    assert watchdog.run(lambda: "again").value == "again"


def test_workers_end_with_the_program_and_when_closed() -> None:
    watchdog = Watchdog(limit_s=30.0)
    worker = watchdog.run(threading.current_thread).value
    assert worker.daemon
    watchdog.close()
    worker.join(30.0)
    assert not worker.is_alive()
    assert watchdog.run(lambda: 1).value == 1


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="expected a time above 0"):
        Watchdog(limit_s=limit)


def test_the_solver_lets_other_threads_run() -> None:
    """The choice of threads rests on it: Clarabel gives the interpreter's lock back."""
    clarabel: Any = importlib.import_module("clarabel")
    generator = np.random.default_rng(0)
    n = 300
    matrix = sparse.csc_matrix(generator.normal(size=(2 * n, n)))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.eye(n)),
        generator.normal(size=n),
        matrix,
        generator.random(2 * n),
        [clarabel.NonnegativeConeT(2 * n)],
        settings,
    )
    ticks, is_done = [], threading.Event()

    def tick() -> None:
        while not is_done.wait(1e-4):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    before = time.perf_counter()
    solver.solve()
    after = time.perf_counter()
    is_done.set()
    thread.join()
    # One tick may fall between the clock and the call; code that held the lock
    # throughout would let no other by.
    assert sum(before < x < after for x in ticks) >= 3
