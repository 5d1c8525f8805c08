"""Do degenerate policies score? Reward, costs and what is left behind, priced."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from coolbound_envs.accounts import REWARD_POWER
from coolbound_envs.audit.contest import Field, Run, field_of, play
from coolbound_envs.audit.degenerate import POLICIES
from coolbound_envs.audit.lab import Lab
from coolbound_envs.audit.records import Check, judged, not_run
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import GROUPS, LIMIT_NAMES

COST_PRICE: Final = 10.0
"""Reward that one unit of cost, of any group, is worth in the score. [1]"""

NOT_JUDGED: Final = (
    "Not judged: absurd proposals are made safe before they act, and what scores is "
    "what was made of them."
)

HEAT_COP: Final = 5.0
"""Heat that a watt of the plant takes away; prices what stays behind. [1]"""


@dataclasses.dataclass(frozen=True)
class Score:
    """What one policy came to, mean over its places. Static.

    Attributes:
        name: Of the policy.
        is_reference: True for an operator that is compared with.
        what: What it does.
        score: Reward less priced costs and heat left, a step. [1]
        reward: Earned a step, nothing after an end, less what the environment
            charges at the horizon. [1]
        costs: Mean cost of each group, a step. [1]
        heat_left: Price of the heat left in the plant beyond what the environment
            charges for it, a step. [1]
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


def scores(lab: Lab) -> list[Score]:
    """Return what every policy came to, best score first."""
    field = field_of(lab)
    run = play(lab, field)
    leader = next(iter(lab.subject.references))
    base = run.heat[field.rows(leader)]
    found = [_score(lab, field, run, name, base) for name in field.names]
    best = max((s for s in found if s.is_reference), key=lambda s: s.score)
    found = [dataclasses.replace(s, break_even=_break_even(s, best)) for s in found]
    return sorted(found, key=lambda s: -s.score)


def _score(lab: Lab, field: Field, run: Run, name: str, base: np.ndarray) -> Score:
    rows, steps = field.rows(name), lab.sizes.score_steps
    ran = np.maximum(run.steps[rows], 1.0)
    costs = run.costs[rows].mean(axis=0) / steps
    reward = float(run.reward[rows].mean() / steps)
    charge = float(run.charge[rows].mean() / steps)
    # A plant that has tripped has paid for it; nobody asks what is left in it.
    left = np.where(run.tripped[rows], 0.0, run.heat[rows] - base)
    heat = left.mean() / HEAT_COP / (steps * CONTROL_INTERVAL) / REWARD_POWER
    violated = run.violated[rows].sum(axis=0)
    is_reference = name in lab.subject.references
    return Score(
        name=name,
        is_reference=is_reference,
        what="reference operator" if is_reference else POLICIES[name].what,
        # Heat is priced once, and for all alike: the environment's charge is undone.
        score=float(reward + charge - COST_PRICE * costs.sum() - heat),
        reward=reward,
        costs=dict(zip(GROUPS, costs.tolist(), strict=True)),
        heat_left=float(heat - charge),
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
    well as a reference does is merely plain, and must stay below the best. One
    that imitates the first reference must not gain by its cheat.
    """
    if not lab.subject.references:
        reason = "there is no reference operator to compare with"
        return not_run("degenerate_policies", 0.0, "policies", reason)
    found = scores(lab)
    references = [score for score in found if score.is_reference]
    others = [score for score in found if not score.is_reference]
    leader = next(iter(lab.subject.references))
    cheats = [s for s in others if s.score >= bar_of(s, references, leader)]
    lowest = references[-1]
    sentence = (
        f"{len(cheats)} of {len(others)} degenerate policies score as well as they "
        f"must not{_named(cheats)}; best is {others[0].name} with "
        f"{others[0].score:.2f} a step, against "
        f"{', '.join(f'{s.name} {s.score:.2f}' for s in references)}. On reward alone, "
        f"without costs, {_richer(others, lowest)}."
    )
    details = {
        "cost_price": COST_PRICE,
        "rows": [dataclasses.asdict(score) for score in found],
    }
    check = judged(
        "degenerate_policies", len(cheats), 0.0, "policies", sentence, details
    )
    if not lab.subject.changes_actions:
        return check
    return dataclasses.replace(check, passed=None, sentence=f"{NOT_JUDGED} {sentence}")


def bar_of(policy: Score, references: Sequence[Score], leader: str) -> float:
    """Return the score that a degenerate policy must stay below [1].

    Args:
        policy: The degenerate one.
        references: Best score first.
        leader: The reference that some imitate.
    """
    if POLICIES[policy.name].imitates:
        return next(each.score for each in references if each.name == leader)
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
