"""Do degenerate policies score? Reward, costs and what is left behind, priced."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax
import numpy as np

from coolbound_envs.audit.closure import stored
from coolbound_envs.audit.degenerate import POLICIES, Moment
from coolbound_envs.audit.lab import (
    LOWER,
    UPPER,
    Lab,
    Step,
    host,
    lane_axes,
    normal_actions,
    placed,
    take_lanes,
)
from coolbound_envs.audit.records import (
    Check,
    judged,
    not_run,
    task_params,
    task_state,
)
from coolbound_envs.cooling import REWARD_POWER, TRIP_PRICE, true_plant
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import GROUPS, LIMIT_NAMES, TOLERANCE
from coolbound_envs.tasks import TASKS
from coolbound_envs.types import action_to_vector

SETTLE_STEPS: Final = 12
"""Control steps on ordinary set-points before the episode. [1]"""

COST_PRICE: Final = 10.0
"""Reward that one unit of cost, of any group, is worth in the score. [1]"""

HEAT_COP: Final = 5.0
"""Heat that a watt of the plant takes away; prices what stays behind. [1]"""


LONGEST_H: Final = 24.0 * max(task.days for task in TASKS.values())
"""Longest episode of the reference tasks; a trip must cost more than the power of
all of it, or the cheapest policy is the one that trips at once. [h]"""


@dataclasses.dataclass(frozen=True)
class Score:
    """What one policy came to, mean over its places. Static.

    Attributes:
        name: Of the policy.
        is_reference: True for an operator that is compared with.
        what: What it does.
        score: Reward less priced costs and heat left, a step. [1]
        reward: Earned a step, nothing after an end. [1]
        costs: Mean cost of each group, a step. [1]
        heat_left: Price of the heat left in the plant, a step. [1]
        power: Facility power above the IT work while it ran. [kW]
        violated: Steps with a limit violated, of those it ran, share. [1]
        worst: Limit that it violated most.
        hottest: Hottest inlet. [degC]
        trips: Share of places where servers tripped. [1]
        break_even: Price of a unit of cost at which it draws level with the best
            reference, NaN where none does. [1]
    """

    name: str
    is_reference: bool
    what: str
    score: float
    reward: float
    costs: Mapping[str, float]
    heat_left: float
    power: float
    violated: float
    worst: str
    hottest: float
    trips: float
    break_even: float


@dataclasses.dataclass(frozen=True)
class _Run:
    """Sums over the steps that each lane ran, (lanes, ...). Static.

    Attributes:
        reward: Earned. [1]
        costs: Of each group, (lanes, groups). [1]
        power: Above the IT work. [W]
        violated: Steps with each limit violated, (lanes, 21). [1]
        hurt: Steps with any limit violated. [1]
        steps: Steps that the lane ran. [1]
        hottest: Hottest inlet. [degC]
        tripped: True where it ended early.
        heat: Stored at the end. [J]
    """

    reward: np.ndarray
    costs: np.ndarray
    power: np.ndarray
    violated: np.ndarray
    hurt: np.ndarray
    steps: np.ndarray
    hottest: np.ndarray
    tripped: np.ndarray
    heat: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Field:
    """Which lanes belong to which policy: references first. Static.

    Attributes:
        names: Of all policies.
        places: Lanes of each. [1]
        lanes: Of the batch; those left over are ordinary. [1]
    """

    names: tuple[str, ...]
    places: int
    lanes: int

    def rows(self, name: str) -> slice:
        """Return the lanes of a policy."""
        first = self.names.index(name) * self.places
        return slice(first, first + self.places)


def _field(lab: Lab) -> _Field:
    names = (*lab.subject.references, *POLICIES)
    places = min(lab.sizes.places, lab.sizes.lanes // len(names))
    return _Field(names, places, lab.sizes.lanes)


def _start(lab: Lab, field: _Field) -> tuple[Any, Any]:
    """Return observation and state of all lanes, the same at each policy's places.

    Places are spread over the year and over the cities of the scenario.
    """
    _, state = lab.reset(lab.noisy, 71)
    place = np.arange(field.lanes) % field.places
    state = take_lanes(state, lane_axes(lab, lab.noisy), place)
    scenario = task_params(lab.noisy).scenario
    cities = scenario.hours.shape[0]
    hours = int(np.min(np.asarray(scenario.hours)))
    begin = (place * hours // field.places) * 3600
    state = placed(state, begin, place % cities)
    step = _settle(lab, state)
    return step.observation, step.state


def _settle(lab: Lab, state: Any) -> Step:
    actions = normal_actions(lab.sizes.lanes)
    step = lab.step(lab.noisy, state, actions, 0)
    for number in range(1, SETTLE_STEPS):
        step = lab.step(lab.noisy, step.state, actions, number)
    return step


def _actions(
    field: _Field, asked: Mapping[str, np.ndarray], moment: Moment
) -> np.ndarray:
    """Return what every policy does, given what the references ask for everywhere."""
    leader = next(iter(asked))
    actions = normal_actions(field.lanes)
    for name in field.names:
        rows = field.rows(name)
        if name in asked:
            actions[rows] = asked[name][rows]
            continue
        own = dataclasses.replace(
            moment,
            first=moment.first[rows],
            last=moment.last[rows],
            reference=asked[leader][rows],
        )
        actions[rows] = POLICIES[name][0](own)
    return np.clip(actions, LOWER, UPPER)


def _play(lab: Lab, field: _Field) -> _Run:
    """Run every policy for an episode; what comes after an end does not count."""
    observation, state = _start(lab, field)
    references = dict(lab.subject.references)
    programs = {name: jax.jit(each.act) for name, each in references.items()}
    memories = {name: each.init((field.lanes,)) for name, each in references.items()}
    first = np.asarray(observation.applied)
    rng, steps = np.random.default_rng(lab.seed + 71), lab.sizes.score_steps
    rows, alive = [], np.ones(field.lanes, bool)
    for number in range(steps):
        asked, key = {}, jax.random.key(lab.seed + number)
        for name, program in programs.items():
            action, memories[name] = program(key, memories[name], observation)
            asked[name] = np.asarray(action_to_vector(action))
        last = np.asarray(observation.applied)
        moment = Moment(number, steps - number, first, last, last, rng)
        actions = _actions(field, asked, moment)
        step = lab.step(lab.noisy, state, actions, 1000 + number)
        rows.append(_row(step, alive))
        alive = alive & ~np.asarray(step.terminated).astype(bool)
        observation, state = step.observation, step.state
    totals = [np.sum(column, axis=0) for column in zip(*rows, strict=True)]
    hottest = np.max([row[-1] for row in rows], axis=0)
    constants = host(true_plant(task_state(state), task_params(lab.noisy)))
    heat = stored(host(task_state(state).plant), constants)
    return _Run(*totals[:-1], hottest=hottest, tripped=~alive, heat=heat)


def _row(step: Step, alive: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what a step adds in each lane that still runs."""
    power = np.sum([np.asarray(p, np.float64) for p in step.info["power"].values()], 0)
    violated = np.asarray(step.info["limits"]) > TOLERANCE
    hottest = np.asarray(step.info["summary"].inlet_temp_max)

    def counted(values: np.ndarray) -> np.ndarray:
        mask = alive.reshape(alive.shape + (1,) * (values.ndim - 1))
        return np.where(mask, np.asarray(values, np.float64), 0.0)

    return (
        counted(np.asarray(step.reward)),
        counted(np.asarray(step.info["costs"])),
        counted(power - np.asarray(step.info["work"])),
        counted(violated),
        counted(np.any(violated, axis=-1)),
        alive.astype(np.float64),
        np.where(alive, hottest, -np.inf),
    )


def scores(lab: Lab) -> list[Score]:
    """Return what every policy came to, best score first."""
    field = _field(lab)
    run = _play(lab, field)
    leader = next(iter(lab.subject.references))
    base = run.heat[field.rows(leader)]
    found = [_score(lab, field, run, name, base) for name in field.names]
    best = max((s for s in found if s.is_reference), key=lambda s: s.score)
    found = [dataclasses.replace(s, break_even=_break_even(s, best)) for s in found]
    return sorted(found, key=lambda s: -s.score)


def _score(
    lab: Lab, field: _Field, run: _Run, name: str, base: np.ndarray
) -> Score:
    rows, steps = field.rows(name), lab.sizes.score_steps
    ran = np.maximum(run.steps[rows], 1.0)
    costs = run.costs[rows].mean(axis=0) / steps
    reward = float(run.reward[rows].mean() / steps)
    # A plant that has tripped has paid for it; nobody asks what is left in it.
    left = np.where(run.tripped[rows], 0.0, run.heat[rows] - base)
    heat = left.mean() / HEAT_COP / (steps * CONTROL_INTERVAL) / REWARD_POWER
    violated = run.violated[rows].sum(axis=0)
    is_reference = name in lab.subject.references
    return Score(
        name=name,
        is_reference=is_reference,
        what="reference operator" if is_reference else POLICIES[name][1],
        score=float(reward - COST_PRICE * costs.sum() - heat),
        reward=reward,
        costs=dict(zip(GROUPS, costs.tolist(), strict=True)),
        heat_left=float(heat),
        power=float((run.power[rows] / ran).mean() / 1e3),
        violated=float(run.hurt[rows].sum() / ran.sum()),
        worst=LIMIT_NAMES[int(np.argmax(violated))] if violated.any() else "none",
        hottest=float(run.hottest[rows].max()),
        trips=float(run.tripped[rows].mean()),
        break_even=float("nan"),
    )


def _break_even(policy: Score, reference: Score) -> float:
    """Return the price of cost at which a policy draws level with a reference.

    Above it the policy loses. 0 where it loses without any price, NaN where more
    reward comes with less cost.
    """
    gain = (policy.reward - policy.heat_left) - (reference.reward - reference.heat_left)
    cost = sum(policy.costs.values()) - sum(reference.costs.values())
    if gain <= 0.0:
        return 0.0
    return gain / cost if cost > 0.0 else float("nan")


def check_degenerate(lab: Lab) -> Check:
    """Run absurd policies beside the reference operators; none may score.

    One that breaks limits must stay below every reference. One that keeps them as
    well as a reference does is merely plain, and must stay below the best.
    """
    if not lab.subject.references:
        reason = "there is no reference operator to compare with"
        return not_run("degenerate_policies", 0.0, "policies", reason)
    found = scores(lab)
    references = [score for score in found if score.is_reference]
    others = [score for score in found if not score.is_reference]
    cheats = [score for score in others if score.score >= bar_of(score, references)]
    hours = TRIP_PRICE / max(-references[0].reward, 1e-9) * CONTROL_INTERVAL / 3600.0
    lowest = references[-1]
    sentence = (
        f"{len(cheats)} of {len(others)} degenerate policies score as well as they must "
        f"not{_named(cheats)}; best is {others[0].name} with {others[0].score:.2f} a step, "
        f"against {', '.join(f'{s.name} {s.score:.2f}' for s in references)}. On reward "
        f"alone, without costs, {_richer(others, lowest)}. A trip costs as much as "
        f"{hours:.0f} h of {references[0].name}; ending an episode early must not pay "
        f"within the {LONGEST_H:.0f} h of the longest reference task."
    )
    details = {
        "cost_price": COST_PRICE,
        "trip_outweighs_h": hours,
        "rows": [dataclasses.asdict(score) for score in found],
    }
    is_dear = hours >= LONGEST_H
    return judged(
        "degenerate_policies", len(cheats), 0.0, "policies", sentence, details, is_dear
    )


def bar_of(policy: Score, references: Sequence[Score]) -> float:
    """Return the score that a degenerate policy must stay below [1].

    Args:
        policy: The degenerate one.
        references: Best score first.
    """
    kept = max(reference.violated for reference in references)
    is_plain = policy.trips == 0.0 and policy.violated <= kept
    return references[0].score if is_plain else references[-1].score


def _named(cheats: Sequence[Score]) -> str:
    return f" ({', '.join(score.name for score in cheats)})" if cheats else ""


def _richer(others: Sequence[Score], lowest: Score) -> str:
    """Say which policies earn more reward than the lowest reference, and why not."""
    richer = [score for score in others if score.reward >= lowest.reward]
    if not richer:
        return f"none earns as much as {lowest.name}"
    parts = [
        f"{score.name} ({score.reward:.2f}; cost {sum(score.costs.values()):.2f}, "
        f"{100 * score.violated:.0f} % of steps in violation)"
        for score in richer[:3]
    ]
    more = f" and {len(richer) - 3} more" if len(richer) > 3 else ""
    return f"{', '.join(parts)}{more} would pass {lowest.name}"
