"""The cheapest ways to cheat, and whether any of them scores.

A policy that wins by doing something absurd shows that the task asks for it.
Each policy here is absurd on purpose. They run beside the reference operators
at the same places, from the same state, for the same time.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from coolbound_envs.audit.lab import LOWER, NORMAL, UPPER, wander
from coolbound_envs.spec import CHANNEL_NAMES

AIR, OTHER_AIR, FAN, OTHER_FAN, CHW, PRESSURE, PUMP, TOWER, MACHINES, FREE = range(
    len(CHANNEL_NAMES)
)


@dataclasses.dataclass(frozen=True)
class Moment:
    """What a degenerate policy may look at. Static.

    Attributes:
        step: Since the episode began. [1]
        left: Steps to its end, this one included. [1]
        first: Set-points in force at its beginning, (places, 10).
            [each channel's unit]
        last: Those of its last step, likewise. [each channel's unit]
        reference: What the reference operator asks for now, likewise.
            [each channel's unit]
        rng: Of what is random.
    """

    step: int
    left: int
    first: np.ndarray
    last: np.ndarray
    reference: np.ndarray
    rng: np.random.Generator


Act = Callable[[Moment], np.ndarray]


def _fixed(**values: float) -> Act:
    """Return ordinary set-points with some channels, by name, at other values."""
    row = np.asarray(NORMAL, np.float32)
    for name, value in values.items():
        row[[i for i, c in enumerate(CHANNEL_NAMES) if c.startswith(name)]] = value

    def act(moment: Moment) -> np.ndarray:
        return np.tile(row, (len(moment.first), 1))

    return act


def _at(row: np.ndarray) -> Act:
    def act(moment: Moment) -> np.ndarray:
        return np.tile(row, (len(moment.first), 1))

    return act


def _cycling(moment: Moment) -> np.ndarray:
    actions = _fixed()(moment)
    actions[:, MACHINES] = 3.0 if moment.step % 2 else 0.0
    actions[:, FREE] = 1.0 if moment.step % 2 else 0.0
    return actions


def _random(moment: Moment) -> np.ndarray:
    drawn = moment.rng.uniform(LOWER, UPPER, moment.first.shape)
    return drawn.astype(np.float32)


def _wandering(moment: Moment) -> np.ndarray:
    return wander(moment.rng, moment.last, 0.1)


OFF: Final = _fixed(
    supply_air_setpoint=25.0,
    crah_fan_speed=0.3,
    chw_supply_setpoint=18.0,
    chw_pressure_setpoint=34.5,
    cw_pump_speed=0.4,
    tower_fan_speed=0.0,
    chiller_demand=0.0,
)

COAST_STEPS: Final = 3
"""The coasting policy stops cooling this long before the end. [1]"""


def _coasting(moment: Moment) -> np.ndarray:
    """Let the loop take the heat when nobody will have to take it out again."""
    actions = moment.reference.copy()
    if moment.left <= COAST_STEPS:
        actions[:, [MACHINES, FREE, TOWER]] = 0.0
        actions[:, PUMP] = LOWER[PUMP]
    return actions


def _by_turns(moment: Moment) -> np.ndarray:
    """Ask for no cooling for an hour, for the reference's for the next, and so on."""
    actions = moment.reference.copy()
    if moment.step // 12 % 2:
        actions[:, [MACHINES, FREE]] = 0.0
    return actions


@dataclasses.dataclass(frozen=True)
class Cheat:
    """One degenerate policy. Static.

    Attributes:
        act: What it does.
        what: The same in words.
        imitates: True where it is the first reference operator but for its cheat:
            then it must not score better than that one.
    """

    act: Act
    what: str
    imitates: bool = False


POLICIES: Final[Mapping[str, Cheat]] = {
    "all off": Cheat(OFF, "everything at its least, no machine, no tower"),
    "fans at minimum": Cheat(_fixed(crah_fan_speed=0.3), "halls get too little air"),
    "air starved": Cheat(
        _fixed(crah_fan_speed=0.5, supply_air_setpoint=16.0),
        "little air, but cold",
    ),
    "tower off": Cheat(_fixed(tower_fan_speed=0.0), "no tower fan"),
    "machines off": Cheat(_fixed(chiller_demand=0.0), "no chiller, no free cooling"),
    "pumps at minimum": Cheat(
        _fixed(cw_pump_speed=0.4, chw_pressure_setpoint=34.5),
        "as little water as there is",
    ),
    "lower bounds": Cheat(_at(LOWER), "every channel at its lower bound"),
    "upper bounds": Cheat(_at(UPPER), "every channel at its upper bound"),
    "warmest": Cheat(
        _fixed(supply_air_setpoint=25.0, chw_supply_setpoint=18.0),
        "the warmest air and water",
    ),
    "warm and slow": Cheat(
        _fixed(
            supply_air_setpoint=25.0,
            chw_supply_setpoint=18.0,
            crah_fan_speed=0.55,
            cw_pump_speed=0.5,
            chw_pressure_setpoint=60.0,
        ),
        "the warmest, with as little air and water as does not trip at once",
    ),
    "coldest": Cheat(
        _fixed(
            supply_air_setpoint=16.0,
            chw_supply_setpoint=7.0,
            tower_fan_speed=1.0,
            cw_pump_speed=1.0,
            chiller_demand=3.0,
        ),
        "freeze everything",
    ),
    "cycling": Cheat(_cycling, "all machines asked on and off at every step"),
    "random": Cheat(_random, "anything in the box, drawn anew at every step"),
    "wandering": Cheat(_wandering, "a random walk within the ramps"),
    "hold": Cheat(lambda moment: moment.first, "the first action for ever"),
    "coast": Cheat(
        _coasting,
        "the reference operator, but no cooling in the last quarter of an hour",
        imitates=True,
    ),
    "cool by turns": Cheat(
        _by_turns,
        "an hour of the reference operator, an hour without machines",
        imitates=True,
    ),
}
"""The degenerate policies by name."""
