"""The steady response of power to each set-point, on EnergyPlus and on our plant.

At one operating point after the other, weather and load stand still. Each channel
is moved by one step, held until the plant is steady again, and moved back; the
response is the power at the end of the step less that at the end of the base before
it. Both plants get the same actions through the same sequencer.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.accounts import power_by_consumer
from coolbound_envs.energyplus.course import Course, still_course
from coolbound_envs.energyplus.options import Options
from coolbound_envs.energyplus.orders import disturbance_of
from coolbound_envs.energyplus.plant import EnergyPlusPlant
from coolbound_envs.interval import run_interval
from coolbound_envs.settling import initial_state
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, action_from_vector

HOLD: Final = 30
"""Intervals that a step, or the base between two, is held: 2.5 h. [1]"""

CONSUMERS: Final = ("crah", "chw_pump", "chiller", "cw_pump", "tower")
NEGLIGIBLE_SHARE, NEGLIGIBLE_POWER = 0.005, 100.0
"""A change below this share of the consumer and this power [W] has no sign."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One move of one set-point, or of the same one in both halls. Static.

    Attributes:
        channel: Name without the hall.
        change: Added to the base. [the channel's unit]
        unit: Of the change; empty for shares.
        machines: Added to the chillers asked for, in the same move. [1]
    """

    channel: str
    change: float
    unit: str = ""
    machines: float = 0.0

    @property
    def text(self) -> str:
        """The step as a table prints it."""
        moved = f"{self.change:+g} {self.unit}".strip()
        return f"{moved}, {self.machines:+g} machines" if self.machines else moved


@dataclasses.dataclass(frozen=True)
class Point:
    """One operating point. Static.

    Attributes:
        name: As tables print it.
        load: IT work over the site's design. [1]
        dry_bulb: Outdoors. [degC]
        humidity: Outdoors, relative. [1]
        base: Action vector, (10,). [each channel's unit]
        steps: What is moved.
    """

    name: str
    load: float
    dry_bulb: float
    humidity: float
    base: tuple[float, ...]
    steps: tuple[Step, ...]


SETPOINT_STEPS: Final = (
    Step("supply_air_setpoint", 1.0, "K"),
    Step("crah_fan_speed", 0.1),
    Step("chw_supply_setpoint", 2.0, "K"),
    Step("chw_pressure_setpoint", 20.0, "kPa"),
    Step("cw_pump_speed", -0.15),
    Step("tower_fan_speed", 0.15),
)
MACHINE_STEP: Final = Step("chiller_demand", 1.0, "machine")
FREE_COOLING_STEP: Final = Step("economizer_demand", 1.0, machines=-1.0)

# supply air x 2, CRAH fans x 2, chilled water, pressure, pump, tower, machines, free
POINTS: Final = (
    Point(
        "hot, 85 % load",
        0.85,
        34.0,
        0.35,
        (22.0, 22.0, 0.9, 0.9, 10.0, 80.0, 0.9, 0.75, 2.0, 0.0),
        (*SETPOINT_STEPS, MACHINE_STEP),
    ),
    Point(
        "mild, 75 % load",
        0.75,
        20.0,
        0.6,
        (22.0, 22.0, 0.85, 0.85, 12.0, 80.0, 0.8, 0.5, 2.0, 0.0),
        (*SETPOINT_STEPS, MACHINE_STEP),
    ),
    Point(
        "cool, 50 % load",
        0.5,
        5.0,
        0.8,
        (23.0, 23.0, 0.75, 0.75, 14.0, 60.0, 0.8, 0.6, 1.0, 0.0),
        (FREE_COOLING_STEP,),
    ),
    Point(
        "cold, free cooling",
        0.75,
        3.0,
        0.8,
        (23.0, 23.0, 0.85, 0.85, 14.0, 70.0, 0.9, 0.7, 0.0, 1.0),
        SETPOINT_STEPS,
    ),
)


@dataclasses.dataclass(frozen=True)
class ResponseRow:
    """One consumer's response to one step, side by side. Static.

    Attributes:
        channel: That was moved.
        step: By how much, as text.
        consumer: Whose power changed.
        ours_kw: Change on our plant. [kW]
        energyplus_kw: Change on EnergyPlus. [kW]
        ours_percent: The same of the consumer's power before. [%]
        energyplus_percent: The same of the consumer's power before. [%]
        sign_agrees: Both rise, both fall, or both stand still.
        point: Operating point.
    """

    channel: str
    step: str
    consumer: str
    ours_kw: float
    energyplus_kw: float
    ours_percent: float
    energyplus_percent: float
    sign_agrees: bool
    point: str


class SteadyPlant(Protocol):
    """A plant that holds an action for a while and tells its power then."""

    def hold(self, action: Action) -> Mapping[str, float]:
        """Return the power by consumer of the last interval [W]."""
        ...


class OurPlant:
    """Our plant under still weather and load."""

    def __init__(self, site: Site, course: Course) -> None:
        """Begin near the steady state.

        Args:
            site: The site.
            course: Its first interval holds for ever.
        """
        self._params = site.plant
        self._acting = disturbance_of(course, 0)
        self._state = initial_state(self._acting, site.plant, ())

    def hold(self, action: Action) -> Mapping[str, float]:
        """Return the power by consumer of the last interval [W]."""
        self._state, power = _hold(self._state, action, self._acting, self._params)
        return {name: float(value) for name, value in power.items()}


@jax.jit
def _hold(
    state: PlantState, action: Action, acting: Disturbance, params
) -> tuple[PlantState, dict[str, jax.Array]]:
    def step(carry: PlantState, _: None) -> tuple[PlantState, dict[str, jax.Array]]:
        after, summary = run_interval(carry, action, acting, params)
        return after, power_by_consumer(summary)

    state, powers = jax.lax.scan(step, state, None, length=HOLD)
    return state, jax.tree.map(lambda values: values[-1], powers)


class HeldEnergyPlus:
    """EnergyPlus under still weather and load, already reset."""

    def __init__(self, plant: EnergyPlusPlant) -> None:
        """Keep the plant."""
        self._plant = plant

    def hold(self, action: Action) -> Mapping[str, float]:
        """Return the power by consumer of the last interval [W]."""
        power: Mapping[str, float] = {}
        for _ in range(HOLD):
            power = self._plant.step(action)[4]["power"]
        return power


def responses(
    plant: SteadyPlant, point: Point
) -> Iterator[tuple[Step, Mapping[str, float], Mapping[str, float]]]:
    """Yield each step with the power by consumer before and after it [W]."""
    base = _action(point.base)
    plant.hold(base)
    for step in point.steps:
        before = plant.hold(base)
        yield step, before, plant.hold(_moved(point.base, step))


def compare_responses(
    site: Site, points: Sequence[Point] = POINTS, options: Options | None = None
) -> list[ResponseRow]:
    """Return the response of every consumer to every step at every point.

    Args:
        site: Both plants are of this site.
        points: Where to measure.
        options: Of the EnergyPlus runs.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
        InputError: The extra is not installed.
    """
    rows: list[ResponseRow] = []
    for point in points:
        course = _course(site, point)
        ours = list(responses(OurPlant(site, course), point))
        with EnergyPlusPlant(site, options) as plant:
            plant.reset(course, _action(point.base))
            theirs = list(responses(HeldEnergyPlus(plant), point))
        for one, other in zip(ours, theirs, strict=True):
            rows += [_row(point, name, one, other) for name in CONSUMERS]
    return rows


def _course(site: Site, point: Point) -> Course:
    work = float(site.plant.it.design_power) * point.load
    steps = HOLD * (2 * len(point.steps) + 1)
    return still_course(work, point.dry_bulb, point.humidity, steps)


def _row(
    point: Point,
    consumer: str,
    ours: tuple[Step, Mapping[str, float], Mapping[str, float]],
    theirs: tuple[Step, Mapping[str, float], Mapping[str, float]],
) -> ResponseRow:
    step = ours[0]
    changes = [
        after[consumer] - before[consumer] for _, before, after in (ours, theirs)
    ]
    bases = [before[consumer] for _, before, _ in (ours, theirs)]
    shares = [_percent(*pair) for pair in zip(changes, bases, strict=True)]
    signs = [_sign(*pair) for pair in zip(changes, bases, strict=True)]
    return ResponseRow(
        channel=step.channel,
        step=step.text,
        consumer=consumer,
        ours_kw=changes[0] / 1e3,
        energyplus_kw=changes[1] / 1e3,
        ours_percent=shares[0],
        energyplus_percent=shares[1],
        sign_agrees=signs[0] == signs[1],
        point=point.name,
    )


def _percent(change: float, base: float) -> float:
    return 100.0 * change / base if base > NEGLIGIBLE_POWER else float("nan")


def _sign(change: float, base: float) -> int:
    least = max(NEGLIGIBLE_SHARE * base, NEGLIGIBLE_POWER)
    return 0 if abs(change) < least else int(np.sign(change))


def _action(vector: Sequence[float]) -> Action:
    return action_from_vector(jnp.asarray(vector, jnp.float32))


def _moved(base: Sequence[float], step: Step) -> Action:
    moves = {step.channel: step.change, "chiller_demand": step.machines}
    moves[step.channel] = step.change
    changed = [
        value + sum(move for key, move in moves.items() if name.startswith(key))
        for name, value in zip(CHANNEL_NAMES, base, strict=True)
    ]
    return _action(changed)
