"""Is a plant's state physical? A diverging integration is detected and reported.

A state is sound when every number is finite and within bounds that no plant of
this kind leaves, whatever is broken or badly run: far beyond the limits of good
operation, far inside what a failing integration produces.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.sequencer import AGE_MAX
from coolbound_envs.state import PlantState


class Bounds(NamedTuple):
    """What a field of the state can physically be.

    Attributes:
        lower: Least. [the field's unit]
        upper: Greatest. [the field's unit]
        unit: As printed.
    """

    lower: float
    upper: float
    unit: str


_SHARE: Final = Bounds(-0.01, 1.01, "")
_AGE: Final = Bounds(-1.0, 1.01 * AGE_MAX, "s")
# Servers switch themselves off between 40 and 50 degC of inlet air.
_AIR: Final = Bounds(-50.0, 130.0, "degC")
# Basin heaters and sprays end near freezing, boiling ends everything else.
_WATER: Final = Bounds(-15.0, 100.0, "degC")
_POWER: Final = Bounds(-1.0, 1e9, "W")

STATE_BOUNDS: Final[dict[str, Bounds]] = {
    "server_temp": _AIR,
    "hot_aisle_temp": _AIR,
    "structure_temp": _AIR,
    "supply_air_temp": _AIR,
    "return_air_temp": _AIR,
    "valve": _SHARE,
    "valve_command": _SHARE,
    "loop_error": Bounds(-150.0, 150.0, "K"),
    "crah_speed": _SHARE,
    "chw_pump_ready": _SHARE,
    "cw_speed": _SHARE,
    "tower_speed": _SHARE,
    "tower_cells": Bounds(-0.01, 100.0, ""),
    "latent_heat": _POWER,
    "pressure_setpoint": Bounds(-1.0, 2e6, "Pa"),
    "supply_pipe_temp": _WATER,
    "return_pipe_temp": _WATER,
    "buffer_temp": _WATER,
    "basin_temp": _WATER,
    "bypass": _SHARE,
    "air_capacity": Bounds(1e3, 1e6, "J/(kg K)"),
    "chiller_power": _POWER,
    "lift": Bounds(-100.0, 150.0, "K"),
    "evaporator_flow": Bounds(-1e-3, 1e5, "kg/s"),
    "room_dew_point": Bounds(-60.0, 60.0, "degC"),
    "sequencer.commanded": _SHARE,
    "sequencer.machine_age": _AGE,
    "sequencer.ramp": _SHARE,
    "sequencer.valve": _SHARE,
    "sequencer.economizer": _SHARE,
    "sequencer.economizer_position": _SHARE,
    "sequencer.economizer_age": _AGE,
    "sequencer.stage_age": _AGE,
    "sequencer.start_age": _AGE,
    "sequencer.start_age_second": _AGE,
    "sequencer.lockout": _AGE,
    "sequencer.protective": _SHARE,
}
"""Bounds of every field of the true state."""


class DivergenceError(ArithmeticError):
    """The integration left what is physical; its text names lane and fields.

    Attributes:
        lane: Index of the first lane concerned.
        fields: Its impossible fields, as arrays.
        seconds: Since its episode began. [s]
        plant: Its whole state.
    """

    def __init__(
        self, text: str, lane: int, fields: dict[str, Any], seconds: float, plant: Any
    ) -> None:
        """Keep what the report needs."""
        super().__init__(text)
        self.lane = lane
        self.fields = fields
        self.seconds = seconds
        self.plant = plant


class _Clock(Protocol):
    @property
    def time(self) -> jax.Array: ...


class Simulation(Protocol):
    """What `require_sound` looks at: `coolbound_envs.cooling.TaskState` is one."""

    @property
    def plant(self) -> PlantState:
        """True state of the plant, batch last."""
        ...

    @property
    def place(self) -> _Clock:
        """Where the episode stands."""
        ...

    @property
    def steps(self) -> jax.Array:
        """Intervals since the episode began [1]."""
        ...


def state_fields(plant: PlantState) -> dict[str, jax.Array]:
    """Return every array of the state by name, the sequencer's with a prefix."""
    fields = {
        field.name: getattr(plant, field.name) for field in dataclasses.fields(plant)
    }
    sequencer = fields.pop("sequencer")
    inner = {
        f"sequencer.{field.name}": getattr(sequencer, field.name)
        for field in dataclasses.fields(sequencer)
    }
    return fields | inner


def is_sound(plant: PlantState) -> jax.Array:
    """Return whether each plant's state is finite and physical, batch shape."""
    batch = plant.buffer_temp.ndim
    rows = []
    for name, values in state_fields(plant).items():
        bounds = STATE_BOUNDS[name]
        # NaN is in no range.
        inside = (values >= bounds.lower) & (values <= bounds.upper)
        rows.append(jnp.all(inside, axis=tuple(range(values.ndim - batch))))
    return jnp.all(jnp.stack(rows), axis=0)


def require_sound(state: Simulation, info: Mapping[str, Any] | None = None) -> None:
    """Refuse to go on with a simulation that has diverged; on the host.

    Args:
        state: The simulation after a step.
        info: What that step told: where it `diverged` counts too, though the state
            may look sound.

    Raises:
        DivergenceError: A number is not finite or impossible. The text names the
            first lane concerned, its culprit fields, their values and the time.
    """
    plant = jax.tree.map(np.asarray, state.plant)
    sound = np.asarray(is_sound(state.plant)).reshape(-1)
    if info is not None:
        sound = sound & ~np.asarray(info["diverged"]).reshape(-1)
    if np.all(sound):
        return
    lane = int(np.flatnonzero(~sound)[0])
    one = jax.tree.map(lambda x: x.reshape(*_head(x, plant), -1)[..., lane], plant)
    wrong = {
        name: np.asarray(values)
        for name, values in state_fields(one).items()
        if not _inside(np.asarray(values), STATE_BOUNDS[name])
    }
    seconds = 300.0 * float(np.asarray(state.steps).reshape(-1)[lane])
    clock = float(np.asarray(state.place.time).reshape(-1)[lane])
    parts = [_said(name, values) for name, values in wrong.items()]
    parts = parts or ["power or limits of the interval are not finite"]
    more = f" and {len(parts) - 4} fields more" if len(parts) > 4 else ""
    raise DivergenceError(
        f"the integration diverged in {np.sum(~sound)} of {len(sound)} lanes, first in "
        f"lane {lane}, {seconds / 3600.0:.2f} h into its episode (day "
        f"{clock / 86400.0:.2f} of the weather year): {'; '.join(parts[:4])}{more}",
        lane,
        wrong,
        seconds,
        one,
    )


def _head(values: np.ndarray, plant: Any) -> tuple[int, ...]:
    return values.shape[: values.ndim - plant.buffer_temp.ndim]


def _inside(values: np.ndarray, bounds: Bounds) -> bool:
    return bool(np.all((values >= bounds.lower) & (values <= bounds.upper)))


def _said(name: str, values: np.ndarray) -> str:
    bounds = STATE_BOUNDS[name]
    inside = (values >= bounds.lower) & (values <= bounds.upper)
    worst = np.asarray(values)[~inside].reshape(-1)[0]
    unit = f" {bounds.unit}" if bounds.unit else ""
    return (
        f"{name} is {worst:g}{unit}, expected {bounds.lower:g} to "
        f"{bounds.upper:g}{unit}"
    )
