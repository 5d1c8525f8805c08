"""Does the same input give the same output: again, after other work, in any batch?"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.lab import (
    Lab,
    Step,
    host,
    lane_axes,
    largest,
    named_leaves,
    normal_actions,
    take_lanes,
    wander,
    with_instruments,
)
from coolbound_envs.audit.records import (
    Check,
    adjusted,
    judged,
    not_run,
    task_state,
)
from coolbound_envs.spec import point_array

STEPS: Final = 4
"""Control steps that are repeated. [1]"""

BATCH_TOLERANCE: Final = 1e-4
"""Difference between batch sizes, over the larger of the value and 1: float32
sums in another order, carried through a few hundred integration steps. [1]"""

LEAST_LANES: Final = 64
"""Smaller batches say nothing about the size of noise. [1]"""

NOISE_TOLERANCE: Final = 0.05
"""Difference of the noise's size between batch sizes, as a share. [1]"""


def different_values(first: Any, second: Any) -> int:
    """Return how many values of two trees differ in any bit."""
    count = 0
    for a, b in zip(
        jax.tree.leaves(host(first)), jax.tree.leaves(host(second)), strict=True
    ):
        if a.shape != b.shape or a.dtype != b.dtype:
            count += max(a.size, b.size)
        elif a.tobytes() != b.tobytes():
            same = (a == b) | ((a != a) & (b != b))
            count += max(int(np.sum(~same)), 1)
    return count


def _start_and_step(lab: Lab, seed: int) -> tuple[Any, Step]:
    """Return a fresh batch and what one step of it returns."""
    observation, state = lab.reset(lab.noisy, seed)
    actions = normal_actions(lab.sizes.lanes)
    return (observation, state), lab.step(lab.noisy, state, actions, seed)


def _other_work(lab: Lab) -> None:
    """Start and run other batches, under other parameters and hard actions."""
    rng = np.random.default_rng(lab.seed)
    params = adjusted(
        with_instruments(lab.noisy, 3.0, 0.2), horizon=jnp.asarray(2, jnp.int32)
    )
    _, state = lab.reset(params, 77)
    actions = normal_actions(lab.sizes.lanes)
    for number in range(STEPS):
        actions = wander(rng, actions, 1.0)
        state = lab.step(params, state, actions, number).state


def check_determinism(lab: Lab) -> Check:
    """Reset and step twice on the same input, bit by bit, and once on another."""
    (first, step), (second, again) = (_start_and_step(lab, 1) for _ in range(2))
    reset_differs, step_differs = (
        different_values(first, second),
        different_values(dataclasses.astuple(step), dataclasses.astuple(again)),
    )
    other, _ = _start_and_step(lab, 2)
    is_drawn = different_values(first[0], other[0]) > 0
    noise = lab.step(lab.noisy, first[1], normal_actions(lab.sizes.lanes), 3)
    uses_key = different_values(step.observation, noise.observation) > 0
    values = sum(leaf.size for _, leaf in named_leaves((first, step.observation)))
    sentence = (
        f"Reset and step, repeated with the same key, parameters and actions at batch "
        f"{lab.sizes.lanes}, differ in {reset_differs + step_differs} of "
        f"{values:,} values; another key "
        + ("gives another start and other noise." if is_drawn and uses_key else "")
        + ("" if is_drawn else "gives the same start, as if it were not used. ")
        + ("" if uses_key else "gives the same readings, as if it were not used.")
    )
    return judged(
        "determinism",
        reset_differs + step_differs,
        0.0,
        "values",
        sentence.rstrip(),
        {"reset": reset_differs, "step": step_differs},
        is_drawn and uses_key,
    )


def check_independence(lab: Lab) -> Check:
    """Reset and step again after other batches have run in the same process."""
    first, step = _start_and_step(lab, 1)
    _other_work(lab)
    second, again = _start_and_step(lab, 1)
    old = lab.step(lab.noisy, first[1], normal_actions(lab.sizes.lanes), 1)
    found = {
        "reset": different_values(first, second),
        "step_of_new_state": different_values(
            dataclasses.astuple(step), dataclasses.astuple(again)
        ),
        "step_of_old_state": different_values(
            dataclasses.astuple(step), dataclasses.astuple(old)
        ),
    }
    total = sum(found.values())
    sentence = (
        f"After {STEPS} steps of another batch under other parameters, the same reset "
        f"and step differ in {total} values."
    )
    return judged("reset_independence", total, 0.0, "values", sentence, found)


def _runs(lab: Lab, state: Any, axes: Any, lanes: int, params: Any) -> list[Step]:
    """Return a few steps of a batch that is made of copies of the usual lanes."""
    rng = np.random.default_rng(lab.seed + 1)
    place = np.arange(lanes) % lab.sizes.lanes
    actions = normal_actions(lab.sizes.lanes)
    state, steps = take_lanes(state, axes, place), []
    for number in range(STEPS):
        actions = wander(rng, actions, 0.2)
        steps.append(lab.step(params, state, actions[place], number))
        state = steps[-1].state
    return steps


def _said(step: Step) -> dict[str, Any]:
    """Return all that a step says and is, but for the readings: those are rounded."""
    return {
        "reward": step.reward,
        "limits": step.info["limits"],
        "costs": step.info["costs"],
        "power": step.info["power"],
        "ends": (step.terminated, step.truncated),
        "set-points": step.observation.applied,
    }


def _gap(base: Step, other: Step, place: np.ndarray) -> dict[str, float]:
    """Return the largest difference of a batch from the usual one, by quantity.

    Readings count in steps of their instrument beyond the first, since a
    difference of rounding can take a reading over an edge.
    """
    found: dict[str, float] = {}
    for name, wanted in _said(base).items():
        pairs = zip(named_leaves(wanted), named_leaves(_said(other)[name]), strict=True)
        found[name] = max(_relative(a[place], b) for (_, a), (_, b) in pairs)
    plants = (named_leaves(task_state(step.state).plant) for step in (base, other))
    pairs = zip(*plants, strict=True)
    found["plant"] = max(_relative(a[..., place], b) for (_, a), (_, b) in pairs)
    a = np.asarray(base.observation.value, np.float64)[place]
    step = np.maximum(point_array("resolution"), 1e-3)
    error = np.abs(np.asarray(other.observation.value) - a) / step
    found["readings"] = largest(np.maximum(error - 1.0, 0.0))
    return found


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return largest(np.abs(a - b) / np.maximum(np.abs(a), 1.0))


def check_batches(lab: Lab) -> Check:
    """Run the same plants in batches of several sizes, with perfect instruments."""
    _, state = lab.reset(lab.quiet, 4)
    axes = lane_axes(lab, lab.quiet)
    base = _runs(lab, state, axes, lab.sizes.lanes, lab.quiet)
    found: dict[str, dict[str, float]] = {}
    for lanes in lab.sizes.batches:
        place = np.arange(lanes) % lab.sizes.lanes
        steps = _runs(lab, state, axes, lanes, lab.quiet)
        gaps = [_gap(a, b, place) for a, b in zip(base, steps, strict=True)]
        found[str(lanes)] = {name: max(gap[name] for gap in gaps) for name in gaps[0]}
    worst = max(max(gaps.values()) for gaps in found.values())
    sizes = ", ".join(f"{lanes:,}" for lanes in lab.sizes.batches)
    sentence = (
        f"The same plants in batches of {sizes} agree with a batch of "
        f"{lab.sizes.lanes} after {STEPS} steps to {worst:.1e} of the larger of value "
        f"and 1; most is in {_where(found)}."
    )
    return judged("batch_size", worst, BATCH_TOLERANCE, "1", sentence, found)


def _where(found: Mapping[str, Mapping[str, float]]) -> str:
    gaps = {(n, q): gap for n, by in found.items() for q, gap in by.items()}
    lanes, quantity = max(gaps, key=lambda place: gaps[place])
    return f"{quantity} at {int(lanes):,}"


def check_batch_noise(lab: Lab) -> Check:
    """Compare the size of the instruments' noise between batch sizes."""
    batches = [lanes for lanes in lab.sizes.batches if lanes >= LEAST_LANES]
    if len(batches) < 2:
        reason = f"it takes two batches of {LEAST_LANES} plants or more"
        return not_run("batch_noise", NOISE_TOLERANCE, "1", reason)
    _, state = lab.reset(lab.quiet, 5)
    axes = lane_axes(lab, lab.quiet)
    params = with_instruments(lab.quiet, 1.0, 0.0)
    found: dict[str, dict[str, float]] = {}
    for lanes in batches:
        noise = _noise(lab, state, axes, lanes, params)
        found[str(lanes)] = {
            "size": float(np.sqrt(np.mean(noise**2))),
            "twins": float(1.0 - len(np.unique(noise, axis=0)) / lanes),
        }
    sizes = np.asarray([row["size"] for row in found.values()])
    twins = max(row["twins"] for row in found.values())
    spread = float(np.max(np.abs(sizes / sizes[0] - 1.0)))
    sentence = (
        f"Noise is {sizes[0]:.3f} of its stated standard deviation at batch "
        f"{next(iter(found))} and differs by up to {100 * spread:.1f} % at "
        f"{', '.join(list(found)[1:])}; {100 * twins:.2g} % of lanes share "
        "the noise of another."
    )
    return judged(
        "batch_noise", spread, NOISE_TOLERANCE, "1", sentence, found, twins <= 0.01
    )


def _noise(lab: Lab, state: Any, axes: Any, lanes: int, params: Any) -> np.ndarray:
    """Return the noise of a batch over its stated deviation, (lanes, points).

    Only of points whose noise is not drowned in the converter's step.
    """
    place = np.arange(lanes) % lab.sizes.lanes
    state = take_lanes(state, axes, place)
    actions = normal_actions(lanes)
    readings = [
        np.asarray(lab.step(each, state, actions, 6).observation.value, np.float64)
        for each in (lab.quiet, params)
    ]
    deviation, step = point_array("noise"), point_array("resolution")
    used = deviation >= step
    whole = np.sqrt(deviation**2 + step**2 / 12.0)
    return (readings[1] - readings[0])[:, used] / whole[used]
