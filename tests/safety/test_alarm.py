"""All cooling is asked for when a fault shows, not when an inlet has become hot."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_envs.limit_numbers import LimitValues, parse_limits
from coolbound_envs.site import load_site
from coolbound_safety.alarm import LASTS, Alarm, Symptoms, no_alarm, raise_alarm

STEP = 300.0


def limits() -> LimitValues:
    site = load_site("reference")
    return parse_limits(site.root, site.feeder_power)


def calm(**changes: Any) -> Symptoms:
    """Return a plant with nothing to be alarmed about, and some of it changed."""
    usual: dict[str, Any] = {
        "inlet_max": 25.0,
        "supply_air": [22.0, 22.0],
        "air_setpoint": [22.0, 22.0],
        "chw_supply": 14.0,
        "water_setpoint": 14.0,
        "air_factor": [1.0, 1.0],
        "load": [1800.0, 1800.0],
        "load_before": [1800.0, 1800.0],
        "load_rise": [0.0, 0.0],
        "running": 2.0,
        "requested": 2.0,
    }
    found = usual | changes
    return Symptoms(**{name: jnp.asarray(x, jnp.float32) for name, x in found.items()})


def after(symptoms: Symptoms, alarm: Alarm | None = None) -> tuple[bool, Alarm]:
    first = no_alarm() if alarm is None else alarm
    is_on, memory = raise_alarm(first, symptoms, limits(), STEP)
    return bool(is_on), memory


def seen_two() -> Alarm:
    """Return the memory of a plant with two machines running."""
    is_on, memory = after(calm())
    assert not is_on
    return memory


@pytest.mark.parametrize(
    "changes",
    [
        {"inlet_max": 26.8},
        {"supply_air": [22.0, 23.2]},
        {"chw_supply": 15.7},
        {"air_factor": [1.0, 0.7]},
        {"load": [1800.0, 2250.0]},
        {"running": 1.0},
        {"running": 0.0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_fault_is_answered_at_the_first_look(changes: dict[str, Any]) -> None:
    assert after(calm(**changes), seen_two())[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"inlet_max": 26.6},
        {"supply_air": [22.0, 23.2], "inlet_max": 23.0},
        {"chw_supply": 15.7, "inlet_max": 23.0},
        {"air_setpoint": [20.9, 20.9], "water_setpoint": 12.4},
        {"load": [1800.0, 2100.0]},
        {"chw_supply": 15.7, "running": 0.0, "requested": 0.0},
        {"running": 1.0, "requested": 1.0},
        {"running": 0.0, "requested": 0.0},
        {"running": 3.0, "requested": 3.0},
    ],
)
def test_what_is_asked_for_or_slight_is_no_fault(changes: dict[str, Any]) -> None:
    assert not after(calm(**changes), seen_two())[0]


@pytest.mark.parametrize(
    ("remembered", "load", "is_on"),
    [
        (0.0, 2200.0, True),
        (0.0, 2150.0, False),
        (0.3, 2400.0, False),
        (0.3, 2450.0, True),
        (np.nan, 2200.0, True),
    ],
)
def test_a_jump_that_the_load_has_shown_before_is_no_fault(
    remembered: float, load: float, is_on: bool
) -> None:
    """Air and coils are kept ready for it; a larger one still is a fault."""
    jump = calm(load=[1800.0, load], load_rise=[0.0, remembered])
    assert after(jump, seen_two())[0] == is_on


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Symptoms)])
def test_what_is_not_known_is_no_reason(name: str) -> None:
    unknown = np.full(np.shape(getattr(calm(), name)), np.nan)
    is_on, memory = after(calm(**{name: unknown}), seen_two())
    assert not is_on
    assert np.isfinite(float(memory.running)), "the last count stays known"


def test_the_alarm_lasts_and_ends() -> None:
    is_on, memory = after(calm(running=1.0), seen_two())
    steps = 0
    while is_on:
        is_on, memory = after(calm(running=1.0, requested=1.0), memory)
        steps += 1
    assert steps == LASTS / STEP
