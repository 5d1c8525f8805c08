"""How long a policy may take: one that gives no answer is recorded, not waited for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final, TypeVar

ROW_S: Final = 60.0
"""For one decision that is asked for by itself: a fifth of a control step. [s]"""

START_S: Final = 600.0
"""For compilation, where many decisions are asked for at once. [s]"""

STEP_S: Final = 0.25
"""For each decision of many. [s]"""

MOST_IN_A_ROW: Final = 3
"""Decisions without an answer in time after which a policy is not asked again. [1]"""

Answer = TypeVar("Answer")


class TimedOutError(Exception):
    """An answer that did not come in time; says within which."""


def batch_limit(steps: int) -> float:
    """Return how long a policy may take for so many decisions at once [s]."""
    return START_S + STEP_S * steps


def within(limit_s: float, call: Callable[[], Answer]) -> Answer:
    """Return what a call returns, or raise what it raises.

    A call that is late goes on in a thread of its own until the process ends: nothing
    can stop it, and nobody waits for it.

    Args:
        limit_s: How long to wait. [s]
        call: Takes nothing, and changes nothing that is used after it was late.

    Raises:
        TimedOutError: Nothing came in time.
    """
    answer: Future[Answer] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # Raised again where it is waited for.
            answer.set_exception(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        finished, _ = wait([answer], timeout=limit_s)
    except KeyboardInterrupt:
        # A compilation that the end of the process cuts off ends it by a signal.
        thread.join(limit_s)
        raise
    if not finished:
        raise TimedOutError(f"no answer within {limit_s:g} s")
    return answer.result()
