"""What a run will need is said before it starts, and which batch would fit."""

import dataclasses
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from learner_tasks import SMALL, drift_task

from coolbound_controllers.algorithms import ALGORITHMS
from coolbound_controllers.training_memory import (
    SPARE,
    fitting_lanes,
    free_bytes,
    predicted_bytes,
    require_memory,
)
from coolbound_envs.tables import InputError

TASK = drift_task()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_larger_batch_needs_more(name: str) -> None:
    few, many = (ALGORITHMS[name].settings(envs=envs) for envs in (64, 1024))
    assert predicted_bytes(TASK, many) > predicted_bytes(TASK, few) > 1e9


def test_more_than_there_is_is_refused_with_what_fits() -> None:
    free = 4.5e9
    greedy = ALGORITHMS["ppo-lagrangian"].settings(envs=65_536)
    with pytest.raises(InputError, match=r"envs: found 65536, for which a run") as told:
        require_memory(TASK, greedy, free)
    found = re.search(r"envs=(\d+) fits", str(told.value))
    assert found is not None
    lanes = int(found[1])
    fits = dataclasses.replace(greedy, envs=lanes)
    require_memory(TASK, fits, free)
    assert predicted_bytes(TASK, fits) <= SPARE * free
    more = dataclasses.replace(greedy, envs=lanes + 64)
    assert predicted_bytes(TASK, more) > SPARE * free


def test_a_batch_that_minibatches_do_not_divide_is_not_offered() -> None:
    odd = dataclasses.replace(SMALL, envs=9, steps=1, minibatches=3)
    assert fitting_lanes(TASK, odd, 1e12) == 6


def test_where_nothing_fits_it_says_so_and_where_nothing_is_known_it_goes_on() -> None:
    with pytest.raises(InputError, match="not even one lane fits here"):
        require_memory(TASK, SMALL, 1e6)
    require_memory(TASK, SMALL, None)


def test_what_is_free_is_the_less_of_machine_and_group(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    4000000 kB\n")
    assert free_bytes(tmp_path, meminfo) == 4_096_000_000
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    assert free_bytes(tmp_path, meminfo) == 2_000_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(tmp_path, meminfo) == 4_096_000_000
    assert free_bytes(tmp_path / "none", tmp_path / "none") is None


def test_the_rows_that_are_counted_are_those_of_a_learner() -> None:
    """The ring of SAC is the one thing that grows with something else than lanes."""
    made = ALGORITHMS["sac-lagrangian"]
    small = made.settings(envs=4, steps=2, first_steps=4, capacity=1000)
    large = dataclasses.replace(small, capacity=3000)

    def held(settings: object) -> int:
        shape = jax.eval_shape(
            lambda: made.init(jax.random.key(0), TASK, settings).replay
        )
        return sum(4 * int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(shape))

    grown = held(large) - held(small)
    foretold = predicted_bytes(TASK, large) - predicted_bytes(TASK, small)
    assert grown <= foretold <= 4.0 * grown
