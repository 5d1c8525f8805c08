"""A closed loop runs what its controller asks for, and a log as it was."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import NORMAL, drill, task_params

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.soundness import DivergenceError
from coolbound_shadow.closed_loop import one_place, roll_out, start_plant
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.proposals import logged_operator

TRIP = FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", 0.0, 3600.0)


def test_a_log_is_run_as_it_was_and_a_fault_begins_with_the_rollout() -> None:
    params = task_params("chicago", noise=0.0, faults=drill(TRIP))
    told = np.tile(np.asarray(NORMAL, np.float32), (4, 1))
    told[2:, 6] = 0.0  # a pump that stood still, outside the model's box
    start = start_plant(
        jax.random.key(0), one_place(0, 0), jnp.asarray(told[:1]), params
    )
    state = start[1]
    np.testing.assert_array_equal(state.steps, 0)
    np.testing.assert_array_equal(state.plant.sequencer.commanded[:, 0], [1, 1, 0])
    found = roll_out(
        CoolingTask(), logged_operator(told), params, start, 4, 0, plain_view()
    )
    np.testing.assert_array_equal(found.applied, told)


def test_a_plant_that_diverged_is_reported_and_no_data() -> None:
    params = task_params("chicago", noise=0.0, faults=drill(TRIP))
    told = np.tile(np.asarray(NORMAL, np.float32), (4, 1))
    seen, state = start_plant(
        jax.random.key(0), one_place(0, 0), jnp.asarray(told[:1]), params
    )
    plant = dataclasses.replace(state.plant, basin_temp=state.plant.basin_temp * 1e9)
    broken = dataclasses.replace(state, plant=plant)
    with pytest.raises(DivergenceError, match="1 of 1 lanes"):
        roll_out(
            CoolingTask(),
            logged_operator(told),
            params,
            (seen, broken),
            4,
            0,
            plain_view(),
        )
