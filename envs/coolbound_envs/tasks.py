"""Reference tasks, from easy to hard: the same plant, ever more of the real world."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp

from coolbound_envs.episode import TaskParams
from coolbound_envs.fault_kinds import FaultKind
from coolbound_envs.fault_schedule import random_plan
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import make_scenario
from coolbound_envs.sensors import SensorParams
from coolbound_envs.site import Site
from coolbound_envs.spec import point_array
from coolbound_envs.tables import InputError
from coolbound_envs.variation import make_spread
from coolbound_envs.weather import load_weather

DAY: Final = 86400.0
"""Length of a day. [s]"""

SETTLE_STEPS: Final = 24
"""Intervals that a reference task's plant runs before an episode: 2 h. [1]"""

WORLD: Final = (
    "phoenix",
    "chicago",
    "dallas",
    "honolulu",
    "tokyo-2021",
    "toronto-2021",
)
"""Six climates, hot and dry to cold. """

TENTH: Final[Mapping[str, float]] = MappingProxyType(
    {
        "chiller_efficiency": 0.1,
        "chiller_capacity": 0.05,
        "coil_conductance": 0.1,
        "tower_conductance": 0.1,
        "pump_efficiency": 0.1,
        "fan_power": 0.1,
        "server_airflow": 0.1,
        "recirculation": 0.1,
        "leakage": 0.1,
        "thermal_mass": 0.1,
        "economizer_effectiveness": 0.1,
        "hall_split": 0.05,
    }
)
"""Half-widths of a plant that nobody measured to better than a tenth."""

MISHAPS: Final[Mapping[FaultKind, float]] = MappingProxyType(
    {
        FaultKind.CHILLER_TRIP: 0.2,
        FaultKind.CRAH_LOSS: 0.2,
        FaultKind.CHW_PUMP_LOSS: 0.05,
        FaultKind.CW_PUMP_LOSS: 0.05,
        FaultKind.TOWER_CELL_LOSS: 0.1,
        FaultKind.STUCK_VALVE: 0.1,
        FaultKind.LOAD_STEP: 0.3,
        FaultKind.HEAT_WAVE: 0.1,
        FaultKind.POWER_DIP: 0.05,
        FaultKind.SENSOR_BIAS: 0.3,
        FaultKind.SENSOR_DRIFT: 0.1,
        FaultKind.SENSOR_STUCK: 0.2,
        FaultKind.SENSOR_DROPOUT: 0.2,
        FaultKind.SENSOR_LATE: 0.2,
    }
)
"""Faults a day, far more often than a real plant has them."""


@dataclasses.dataclass(frozen=True)
class ReferenceTask:
    """One named task. Static.

    Attributes:
        name: What the command line calls it.
        adds: What it adds to the task before it.
        weather: Years that episodes are drawn from.
        loads: Load traces that they are drawn from.
        days: Length of an episode, in days. [1]
        noise: Factor on the instruments' own noise. [1]
        dropout: Probability that a reading does not arrive. [1]
        drift: Of every instrument in a day, over its noise. [1]
        delay: Intervals that every reading arrives late. [1]
        spread: Half-widths of the plant's variation, by name. [mixed units]
        mishaps: Mean number of faults a day, by kind. [1]
    """

    name: str
    adds: str
    weather: tuple[str, ...]
    loads: tuple[str, ...]
    days: int
    noise: float = 1.0
    dropout: float = 0.001
    drift: float = 0.0
    delay: float = 0.0
    spread: Mapping[str, float] = dataclasses.field(default_factory=dict)
    mishaps: Mapping[FaultKind, float] = dataclasses.field(default_factory=dict)


TASKS: Final = {
    task.name: task
    for task in (
        ReferenceTask(
            name="calm-day",
            adds="one day in a mild city, perfect instruments",
            weather=("san-jose-2021",),
            loads=("google2019",),
            days=1,
            noise=0.0,
            dropout=0.0,
        ),
        ReferenceTask(
            name="six-climates",
            adds="a week in one of six climates, two load shapes, real instruments",
            weather=WORLD,
            loads=("google2019", "azure2019"),
            days=7,
        ),
        ReferenceTask(
            name="always-humid",
            adds="the tropics: no free cooling, condensers near their limit",
            weather=("singapore-2021", "honolulu"),
            loads=("azure2019",),
            days=7,
        ),
        ReferenceTask(
            name="unknown-plant",
            adds="six climates; no plant is quite as its site file says, readings "
            "come 5 min late and drift",
            weather=WORLD,
            loads=("google2019", "azure2019"),
            days=7,
            drift=0.1,
            delay=1.0,
            spread=TENTH,
        ),
        ReferenceTask(
            name="bad-week",
            adds="all that, and some two faults a day of every kind",
            weather=WORLD,
            loads=("google2019", "azure2019"),
            days=7,
            dropout=0.01,
            drift=0.1,
            delay=1.0,
            spread=TENTH,
            mishaps=MISHAPS,
        ),
    )
}
"""The reference tasks by name, from easy to hard."""


def reference_task(name: str) -> ReferenceTask:
    """Return a reference task by name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in TASKS:
        raise InputError(
            f"task: found {name!r}, expected one of {', '.join(TASKS)}; correct the "
            "name"
        )
    return TASKS[name]


def make_task(task: ReferenceTask, site: Site) -> TaskParams:
    """Return the parameters of a reference task on a site.

    Raises:
        InputError: A limit in the site file is wrong.
    """
    seconds = task.days * DAY

    def number(value: float) -> jnp.ndarray:
        return jnp.asarray(value, jnp.float32)

    return TaskParams(
        plant=site.plant,
        limits=parse_limits(site.root, site.feeder_power),
        sensors=SensorParams(
            noise=number(task.noise),
            dropout=number(task.dropout),
            drift=task.drift * jnp.asarray(point_array("noise"), jnp.float32),
            delay=number(task.delay),
        ),
        scenario=make_scenario(
            [load_weather(name) for name in task.weather],
            [load_trace(name) for name in task.loads],
        ),
        horizon=jnp.asarray(round(seconds / CONTROL_INTERVAL), jnp.int32),
        faults=random_plan(task.mishaps, seconds),
        variation=make_spread(**task.spread),
    )
