"""A policy that does not answer is a recorded decision, and nobody waits for it."""

import dataclasses
import functools
import math
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from made_logs import made_log

from coolbound_envs.types import Action, Observation, action_from_vector
from coolbound_shadow import closed_loop, patience, twin
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.patience import TimedOutError, within
from coolbound_shadow.proposals import propose
from coolbound_shadow.replay_inputs import CHUNK, replay_inputs

ROWS = 12


@pytest.fixture
def ask() -> Any:
    """Return what asks a policy about an hour of a log."""
    inputs = replay_inputs(made_log(ROWS), "Europe/Berlin")
    return inputs, lambda policy: propose(policy, inputs, plain_view())


@pytest.fixture
def never() -> Iterator[Callable[[], bool]]:
    """Return what does not end before the test does."""
    ended = threading.Event()
    yield functools.partial(ended.wait, 60.0)
    ended.set()


@dataclasses.dataclass(frozen=True)
class Hanging:
    """A policy that asks another computer, which says nothing for a while."""

    wait: Callable[[], bool]
    since: float
    until: float

    def init(self, params: Any) -> tuple[()]:
        return ()

    def act(
        self, key: jax.Array, state: Any, observation: Observation
    ) -> tuple[Action, Any]:
        if self.since <= float(observation.time.reshape(-1)[0]) < self.until:
            self.wait()
        return action_from_vector(observation.applied), state


@dataclasses.dataclass(frozen=True)
class Silent:
    """A policy that hangs whatever it is asked, in a compiled call too."""

    wait: Callable[[], bool]

    def init(self, params: Any) -> tuple[()]:
        return ()

    def act(self, key: jax.Array, state: Any, seen: Observation) -> tuple[Action, Any]:
        self.wait()
        return action_from_vector(seen.applied), state


def test_rows_without_an_answer_say_so_and_the_others_have_theirs(
    ask: Any, never: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, proposed = ask
    quick = proposed(Hanging(never, math.inf, math.inf))
    assert quick.reason == ("",) * ROWS
    monkeypatch.setattr(patience, "ROW_S", 2.0)
    times = inputs.time
    found = proposed(Hanging(never, float(times[4]), float(times[6])))
    said = "the policy gave no answer within 2 s"
    assert found.reason == ("",) * 4 + (said,) * 2 + ("",) * 6
    late = np.array([said == reason for reason in found.reason])
    assert np.all(np.isnan(found.action[late]))
    np.testing.assert_array_equal(found.action[~late], quick.action[~late])


def test_a_policy_that_is_silent_for_long_is_not_asked_again(
    ask: Any, never: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ROW_S", "START_S"):
        monkeypatch.setattr(patience, name, 0.2)
    monkeypatch.setattr(patience, "STEP_S", 0.0)
    begin = time.monotonic()
    found = ask[1](Silent(never))
    assert time.monotonic() - begin < 30.0
    assert found.reason[:3] == ("the policy gave no answer within 0.2 s",) * 3
    words = "the policy was not asked, after 3 rows without answer"
    assert found.reason[3:] == (words,) * (ROWS - 3)
    assert np.all(np.isnan(found.action))


def test_a_policy_that_is_silent_in_the_model_has_no_potential(
    never: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_loop, "_run_day", lambda *_: never())
    start: Any = (SimpleNamespace(value=np.zeros((1, 1))), None)
    policy: Any = Silent(never)
    nothing: Any = None
    run: Any = SimpleNamespace(
        shielded=lambda *_: closed_loop.roll_lanes(
            nothing, policy, None, start, 1, 0, plain_view(), day_limit_s=0.2
        )
    )
    rollout, why = twin._policy_rollout(run, policy, nothing)
    assert rollout is None
    assert why == "the policy gave no answer within 0.2 s in the model"


def test_what_a_call_raises_comes_through() -> None:
    def fail() -> None:
        raise TimeoutError("the network is gone")

    with pytest.raises(TimeoutError, match="network"):
        within(30.0, fail)
    with pytest.raises(TimedOutError, match=r"no answer within 0\.05 s"):
        within(0.05, functools.partial(time.sleep, 0.5))
    assert within(30.0, lambda: 7) == 7


def test_many_decisions_have_time_for_a_compilation_and_for_each() -> None:
    assert patience.batch_limit(0) == 600.0
    assert patience.batch_limit(288) == 672.0
    assert patience.batch_limit(CHUNK) == 1112.0
