"""What gets in: the action table and its digest, the box, and what is refused."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from coolbound_envs.audit.lab import (
    LOWER,
    UPPER,
    Lab,
    Step,
    normal_actions,
)
from coolbound_envs.audit.records import (
    Check,
    failed,
    judged,
    task_state,
)
from coolbound_envs.limit_table import GROUPS, LIMIT_NAMES
from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    CHANNELS,
    OBSERVATION_SIZE,
    Channel,
    action_digest,
)
from coolbound_envs.types import action_to_vector

BEYOND: Final = 0.05
"""How far outside its box an action is tried, over the channel's range. [1]"""

PARTED: Final = 1e-4
"""Relative difference that tells another plant from the same one. [1]"""


def _digest(channels: tuple[Channel, ...]) -> str:
    """Return the digest as the documents define it, by other code."""
    rows = [
        {
            "name": c.name,
            "unit": c.unit,
            "lower": c.lower,
            "upper": c.upper,
            "ramp": c.ramp,
            "dead_band": c.dead_band,
            "is_request": c.is_request,
        }
        for c in channels
    ]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def _unnoticed_changes() -> list[str]:
    """Return the changes of the table that leave the digest as it is."""
    found = []
    for i, channel in enumerate(CHANNELS):
        for field in dataclasses.fields(channel):
            value = getattr(channel, field.name)
            other = not value if isinstance(value, bool) else value * 2 or 1.0
            changed = dataclasses.replace(channel, **{field.name: other})
            table = (*CHANNELS[:i], changed, *CHANNELS[i + 1 :])
            if action_digest(table) == action_digest():
                found.append(f"{channel.name}.{field.name}")
    if action_digest(CHANNELS[::-1]) == action_digest():
        found.append("order")
    return found


def _boxes(lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return actions on and outside the box, and whether each is outside.

    One channel after the other stands at its lower end, its upper end, below and
    above; lanes left over are ordinary.
    """
    actions = normal_actions(lanes)
    outside = np.zeros(lanes, bool)
    span = UPPER - LOWER
    for i in range(ACTION_SIZE):
        ends = (
            LOWER[i],
            UPPER[i],
            LOWER[i] - BEYOND * span[i],
            UPPER[i] + BEYOND * span[i],
        )
        for k, value in enumerate(ends):
            actions[4 * i + k, i] = value
            outside[4 * i + k] = k >= 2
    return actions, outside


def check_action_space(lab: Lab) -> Check:
    """Compare table, digest, shapes and box with what the environment takes."""
    unnoticed = _unnoticed_changes()
    others = {n: d for n, d in lab.subject.digests.items() if d != action_digest()}
    is_same = _digest(CHANNELS) == action_digest()
    actions, outside = _boxes(lab.sizes.lanes)
    _, state = lab.reset(lab.quiet, 61)
    step = lab.step(lab.quiet, state, actions, 0)
    shown = np.asarray(step.observation.applied, np.float64)
    given = np.asarray(step.info.get("certified", actions), np.float64)
    differs = np.any(np.abs(shown - given) > 1e-5 * (UPPER - LOWER), axis=-1)
    closed = [] if lab.subject.changes_actions else _where(actions, differs & ~outside)
    slack = 1e-3 * (UPPER - LOWER)
    beyond = np.any((shown < LOWER - slack) | (shown > UPPER + slack), axis=-1)
    open_ends = _where(actions, beyond)
    shapes = _wrong_shapes(step, lab.sizes.lanes)
    wrong = [
        *(["the digest is not that of the table"] if not is_same else []),
        *(f"{name} does not change the digest" for name in unnoticed),
        *(f"the digest of {name} is another" for name in others),
        *(f"{name} does not take effect" for name in closed),
        *(f"{name} is applied" for name in open_ends),
        *shapes,
    ]
    tried = len(CHANNELS) * len(dataclasses.fields(Channel)) + 1
    sentence = (
        f"The table of {ACTION_SIZE} channels has the digest {action_digest()[:12]}, "
        f"which each of {tried} changes of it changes; both ends of every channel take "
        f"effect and nothing beyond them does; digests of others compared: "
        f"{', '.join(lab.subject.digests) or 'none'}"
        + (f". Wrong: {'; '.join(wrong[:4])}" if wrong else "")
        + "."
    )
    return judged(
        "action_space", len(wrong), 0.0, "mismatches", sentence, {"wrong": wrong}
    )


def _where(actions: np.ndarray, lanes: np.ndarray) -> list[str]:
    """Return the tried values of some lanes by name."""
    names = []
    for lane in np.flatnonzero(lanes[: 4 * ACTION_SIZE]):
        i = int(lane) // 4
        names.append(f"{CHANNEL_NAMES[i]} = {actions[lane, i]:g}")
    return names


def _wrong_shapes(step: Step, lanes: int) -> list[str]:
    wanted = {
        "observation.value": (step.observation.value, (lanes, OBSERVATION_SIZE)),
        "observation.applied": (step.observation.applied, (lanes, ACTION_SIZE)),
        "costs": (step.info["costs"], (lanes, len(GROUPS))),
        "limits": (step.info["limits"], (lanes, len(LIMIT_NAMES))),
        "reward": (step.reward, (lanes,)),
    }
    return [
        f"{name} has shape {tuple(value.shape)}, expected {shape}"
        for name, (value, shape) in wanted.items()
        if tuple(value.shape) != shape
    ]


def _bad_actions(lanes: int) -> tuple[np.ndarray, dict[int, str]]:
    """Return actions of which some must be refused, and those by lane."""
    actions = normal_actions(lanes)
    actions[:, 0] += 0.5  # so that a refusal shows: the action before is another
    span, bad = UPPER - LOWER, {}
    for i, name in enumerate(CHANNEL_NAMES):
        for value, word in (
            (np.nan, "NaN"),
            (np.inf, "infinite"),
            (-np.inf, "minus infinite"),
            (LOWER[i] - BEYOND * span[i], "below its box"),
            (UPPER[i] + BEYOND * span[i], "above its box"),
        ):
            actions[2 * len(bad), i] = value
            bad[2 * len(bad)] = f"{name} {word}"
    return actions, bad


def check_refused(lab: Lab) -> Check:
    """Give impossible actions to some plants: the action before must hold there."""
    _, state = lab.reset(lab.quiet, 62)
    state = lab.step(lab.quiet, state, normal_actions(lab.sizes.lanes), 0).state
    actions, bad = _bad_actions(lab.sizes.lanes)
    before = np.asarray(_in_force(state), np.float64)
    step = lab.step(lab.quiet, state, actions, 1)
    if "action_refused" not in step.info:
        reason = "The environment does not say which actions it refused."
        return failed("refused_actions", 0.0, "lanes", reason)
    held = lab.step(lab.quiet, state, before, 1)
    lanes = np.isin(np.arange(lab.sizes.lanes), list(bad))
    if lab.subject.changes_actions:
        return _never_applied(step, bad)
    found = {
        "not_told": int(np.sum(np.asarray(step.info["action_refused"]) != lanes)),
        "not_counted": int(np.sum(_count(step.state) - _count(state) != lanes)),
        "applied": int(np.sum(_applied_bad(step, before, actions, lanes))),
        "other_plant": int(np.sum(differs(step, held) & lanes)),
        "not_finite": int(np.sum(~np.isfinite(np.asarray(step.reward)))),
    }
    sentence = (
        f"{len(bad)} impossible actions, NaN, infinite or {100 * BEYOND:.0f} % outside "
        f"the box in each channel: each told, counted and not applied, and the plant "
        "goes on as under the action before; ordinary ones beside them are taken. "
        f"Wrong: {sum(found.values())}."
    )
    return judged("refused_actions", sum(found.values()), 0.0, "lanes", sentence, found)


def _never_applied(step: Step, bad: Mapping[int, str]) -> Check:
    """Judge an environment that replaces actions: nothing impossible is in force."""
    shown = np.asarray(step.observation.applied, np.float64)
    slack = 1e-3 * (UPPER - LOWER)
    inside = np.all((shown >= LOWER - slack) & (shown <= UPPER + slack), axis=-1)
    wrong = int(np.sum(~inside)) + int(np.sum(~np.isfinite(np.asarray(step.reward))))
    sentence = (
        f"{len(bad)} impossible actions were given; set-points outside the box or not "
        f"finite are in force in {wrong} plants."
    )
    return judged("refused_actions", wrong, 0.0, "lanes", sentence)


def _in_force(state: Any) -> np.ndarray:
    """Return the set-points in force, (lanes, 10) [each channel's unit]."""
    return np.asarray(action_to_vector(task_state(state).applied))


def _count(state: Any) -> np.ndarray:
    return np.asarray(task_state(state).refused)


def _applied_bad(
    step: Step, before: np.ndarray, actions: np.ndarray, bad: np.ndarray
) -> np.ndarray:
    """Return where the set-points in force are not those that should be."""
    wanted = np.where(bad[:, None], before, actions)
    shown = np.asarray(step.observation.applied, np.float64)
    return ~np.all(np.abs(shown - wanted) <= 1e-5 * (UPPER - LOWER), axis=-1)


def differs(step: Step, other: Step) -> np.ndarray:
    """Return where two steps ended in different plants."""
    rewards = (
        np.asarray(step.reward, np.float64),
        np.asarray(other.reward, np.float64),
    )
    limits = (np.asarray(step.info["limits"]), np.asarray(other.info["limits"]))
    gap = np.abs(rewards[0] - rewards[1]) / np.maximum(np.abs(rewards[1]), 1.0)
    rows = np.abs(limits[0] - limits[1]) / np.maximum(np.abs(limits[1]), 1.0)
    return ~((gap <= PARTED) & np.all(rows <= PARTED, axis=-1))
