"""What each instrument stands before, read from the true state in plain numpy.

Written a second time on purpose: the audit does not ask the environment's own
code which state a reading belongs to. Powers and flows are means over the
control interval, as meters give them; temperatures are those at its end.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from coolbound_envs.audit.lab import Step, host
from coolbound_envs.audit.records import task_state
from coolbound_envs.spec import POINT_NAMES

KILO: Final = 1e-3

# plant state, mean flows, disturbance of the interval -> value, lanes last
WHOLE: Final[Mapping[str, Callable[[Any, Any, Any], np.ndarray]]] = {
    "chw_supply_temp": lambda plant, mean, acting: plant.supply_pipe_temp[0],
    "chw_return_temp": lambda plant, mean, acting: plant.buffer_temp,
    "chw_flow": lambda plant, mean, acting: mean.chw_flow,
    "chw_pressure": lambda plant, mean, acting: mean.chw_pressure * KILO,
    "chw_pump_power": lambda plant, mean, acting: mean.chw_pump_power * KILO,
    "cw_supply_temp": lambda plant, mean, acting: plant.basin_temp,
    "cw_return_temp": lambda plant, mean, acting: mean.cw_leaving_temp,
    "cw_flow": lambda plant, mean, acting: mean.cw_flow,
    "cw_pump_power": lambda plant, mean, acting: mean.cw_pump_power * KILO,
    "tower_fan_power": lambda plant, mean, acting: mean.tower_power * KILO,
    "chillers_running": lambda plant, mean, acting: plant.sequencer.running_count,
    "chillers_starting": lambda plant, mean, acting: np.maximum(
        plant.sequencer.commanded_count - plant.sequencer.running_count, 0.0
    ),
    "chiller_power": lambda plant, mean, acting: mean.chiller_power * KILO,
    "economizer_running": lambda plant, mean, acting: plant.sequencer.economizer,
    "outdoor_temp": lambda plant, mean, acting: acting.dry_bulb,
    "outdoor_wet_bulb": lambda plant, mean, acting: acting.wet_bulb,
    "facility_power": lambda plant, mean, acting: (
        (
            sum(np.sum(power, axis=0) for power in (mean.it_power, mean.crah_power))
            + mean.chw_pump_power
            + mean.chiller_power
            + mean.cw_pump_power
            + mean.tower_power
        )
        * KILO
    ),
}

HALLS: Final[Mapping[str, Callable[[Any, Any], np.ndarray]]] = {
    "it_power": lambda plant, mean: mean.it_power * KILO,
    "supply_air_temp": lambda plant, mean: plant.supply_air_temp,
    "return_air_temp": lambda plant, mean: plant.return_air_temp,
    "crah_valve": lambda plant, mean: plant.valve,
    "crah_fan_power": lambda plant, mean: mean.crah_power * KILO,
    "room_dew_point": lambda plant, mean: np.broadcast_to(
        plant.room_dew_point, plant.valve.shape
    ),
    "inlet_temp": lambda plant, mean: mean.inlet_temp,
}


def true_readings(step: Step) -> dict[str, np.ndarray]:
    """Return the true value of every point known here, float64, (lanes,) each.

    Each in its point's unit, for the interval that the step ran.
    """
    plant = host(task_state(step.state).plant)
    mean, acting = host(step.info["summary"].mean), host(step.info["disturbance"])
    found = {}
    for name in POINT_NAMES:
        value = _true(name, plant, mean, acting)
        if value is not None:
            found[name] = np.asarray(value, np.float64)
    return found


def _true(name: str, plant: Any, mean: Any, acting: Any) -> np.ndarray | None:
    if name in WHOLE:
        return WHOLE[name](plant, mean, acting)
    stem, _, place = name.partition("_hall")
    if stem not in HALLS:
        return None
    hall, _, zone = place.partition("_zone")
    value = HALLS[stem](plant, mean)[int(hall) - 1]
    return value[int(zone) - 1] if zone else value
