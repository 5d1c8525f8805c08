"""The plant as the ARX controller sees it: outputs, inputs, disturbances, modes.

Outputs: each hall's hottest inlet and valve, chilled water, tower water, condenser
return. Inputs: the eight set-points that are no requests. Disturbances: the halls'
IT power and the wet bulb. One model with chillers, one in free cooling.
"""

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.pid_readings import hottest_inlets
from coolbound_envs.spec import CHANNELS, HALLS, POINT_INDEX
from coolbound_envs.types import Observation

OUTPUTS: Final = (
    "inlet_hall1",
    "inlet_hall2",
    "valve_hall1",
    "valve_hall2",
    "chw_supply",
    "cw_supply",
    "cw_return",
)
INPUTS: Final = tuple(channel.name for channel in CHANNELS if not channel.is_request)
DISTURBANCES: Final = ("it_power_hall1", "it_power_hall2", "outdoor_wet_bulb")
MODES: Final = ("chillers", "free")

_SITE: Final = ("chw_supply_setpoint", "chw_pressure_setpoint")
_CONDENSER: Final = ("cw_pump_speed", "tower_fan_speed")


def _causes() -> dict[str, tuple[str, ...]]:
    """Return what each output may depend on, by name."""
    found: dict[str, tuple[str, ...]] = {}
    for hall in range(1, HALLS + 1):
        own = (f"supply_air_setpoint_hall{hall}", f"crah_fan_speed_hall{hall}")
        of_hall = (f"inlet_hall{hall}", f"valve_hall{hall}", "chw_supply", *own, *_SITE)
        for name in of_hall[:2]:
            found[name] = (*of_hall, f"it_power_hall{hall}")
    load = tuple(f"it_power_hall{h}" for h in range(1, HALLS + 1))
    condenser = ("chw_supply", "cw_supply", "cw_return", *_CONDENSER, *_SITE[:1])
    for name in OUTPUTS[2 * HALLS :]:
        found[name] = (*condenser, *load, "outdoor_wet_bulb")
    return found


def allowed() -> np.ndarray:
    """Return whether each output may depend on x, u and w, (n, n + m + d)."""
    names, causes = (*OUTPUTS, *INPUTS, *DISTURBANCES), _causes()
    return np.asarray(
        [[name in causes[output] for name in names] for output in OUTPUTS]
    )


def outputs_of(observation: Observation) -> jax.Array:
    """Return x, (..., n), NaN where missing [mixed units]."""
    rest = ("chw_supply_temp", "cw_supply_temp", "cw_return_temp")
    plant = jnp.stack([observation.read(name) for name in rest], axis=-1)
    valves = observation.read_halls("crah_valve")
    return jnp.concatenate([hottest_inlets(observation), valves, plant], axis=-1)


def disturbances_of(observation: Observation) -> jax.Array:
    """Return w, (..., d), NaN where missing [mixed units]."""
    places = jnp.asarray([POINT_INDEX[name] for name in DISTURBANCES])
    return observation.value[..., places]


def mode_of(observation: Observation) -> jax.Array:
    """Return 0 with chillers alone, 1 in free cooling alone, -1 in between, (...)."""
    running = observation.read("chillers_running")
    starting = observation.read("chillers_starting") > 0.5
    is_open = observation.read("economizer_running") > 0.5
    chillers = (running > 0.5) & ~is_open & ~starting
    free = (running < 0.5) & is_open & ~starting
    return jnp.where(chillers, 0, jnp.where(free, 1, -1))
