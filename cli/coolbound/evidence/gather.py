"""Everything that the evidence page rests on, measured in one go."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.compose import shielded_task
from coolbound.evidence.campaign import (
    LOADS,
    campaign,
    environments,
    hostile_task,
    make_arena,
    policies,
    rounds_of,
)
from coolbound.evidence.coverage import Coverage, Trial, summed
from coolbound.evidence.episode import Arena
from coolbound.evidence.hunts import Hunt
from coolbound.evidence.plans import Plan
from coolbound.evidence.rescue import Inquest
from coolbound.evidence.tallies import (
    NEVER,
    ONSETS,
    Tally,
    as_numbers,
    beside,
    together,
)
from coolbound.evidence.violations import STARTS, Violation
from coolbound.validation.evidence import CITIES
from coolbound.validation.years import Lineup
from coolbound_envs.site import Site
from coolbound_envs.types import Controller
from coolbound_safety.projection_evidence import projection_evidence

Progress = Callable[[str, int, int], None]

COVERAGE_POLICIES: Final = ("g36", "walk", "slow ends", "ends")
"""Whose actions the margins are tried on."""

FAULTS_OFTEN: Final = 4.0
"""Hunts are short: faults come so many times as often. [1]"""

OPERATOR: Final = "g36"
"""Who is no opponent."""


@dataclasses.dataclass(frozen=True)
class Contest:
    """What some policies did in one environment. Static.

    Attributes:
        names: Of the policies.
        tally: Of each of them.
    """

    names: tuple[str, ...]
    tally: Tally

    @property
    def steps(self) -> int:
        """Steps of all of them [1]."""
        return round(float(self.tally.steps.sum()))

    def some(self, names: Sequence[str]) -> "Contest":
        """Return the contest of some of the policies, without what is by lane."""
        rows = [self.names.index(name) for name in names]
        lanes = {"onsets", "onset_count", "hottest", "sharpest"}
        fields = {
            field.name: (
                np.zeros(0)
                if field.name in lanes
                else getattr(self.tally, field.name)[rows]
            )
            for field in dataclasses.fields(self.tally)
        }
        return Contest(tuple(names), Tally(**fields))


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that was measured. Static.

    Attributes:
        plan: How much was measured.
        cities: Names of the weather years.
        loads: Names of the load traces.
        filtered: Everyone behind the safety layer, hunts included.
        bare: Everyone without it.
        violations: Of the hard thermal limit behind the safety layer, tried again.
        not_tried: Others that began, and were not tried again. [1]
        coverage: Of the margins, by half-width of the plant's constants.
        projection: What `coolbound_safety.projection_evidence` found; None where it
            was left out.
    """

    plan: Plan
    cities: tuple[str, ...]
    loads: tuple[str, ...]
    filtered: Contest
    bare: Contest
    violations: Sequence[Violation]
    not_tried: int
    coverage: Mapping[float, Coverage]
    projection: Mapping[str, Any] | None


def gather(site: Site, plan: Plan, seed: int, progress: Progress) -> Evidence:
    """Measure everything.

    Args:
        site: Whose plant and safety layer are looked at.
        plan: How much of it.
        seed: Of everything.
        progress: Told how far each part is.

    Raises:
        InputError: The site cannot be used.
    """
    everyone = policies(site)
    filtered, violations, missed = _behind(site, plan, everyone, seed, progress)
    hunted = [
        _hunted(site, plan, has_faults, seed, progress)
        for has_faults in (False, True)
        if plan.hunts
    ]
    for contest, found, more in hunted:
        names = (*filtered.names, *contest.names)
        filtered = Contest(names, beside(filtered.tally, contest.tally))
        violations, missed = [*violations, *found], missed + more
    return Evidence(
        plan=plan,
        cities=CITIES,
        loads=LOADS,
        filtered=filtered,
        bare=_without(site, plan, everyone, seed, progress),
        violations=violations,
        not_tried=missed,
        coverage=_coverage(site, plan, everyone, seed, progress),
        projection=_projection(site, plan, everyone, seed, progress),
    )


def _behind(
    site: Site,
    plan: Plan,
    everyone: Mapping[str, Controller],
    seed: int,
    progress: Progress,
) -> tuple[Contest, list[Violation], int]:
    """Return everyone behind the safety layer, and the violations tried again."""
    task = hostile_task(site, True, plan.variation, plan.steps)
    environment, params = environments(site, task)["filtered"]
    names = tuple(everyone)
    arena = make_arena(everyone, names, plan.lanes, environment, plan.steps)
    inquest = Inquest(site, environment.inner, arena, names)
    tools, memory = inquest.compile(), arena.controller.init(())
    total, violations, count = None, [], rounds_of(arena, plan.filtered)
    for number in range(count):
        key = jax.random.fold_in(jax.random.key(seed), number)
        if number < plan.looks:
            tally, found = inquest.look(tools, key, params, memory, task)
            violations += found
        else:
            tally = tools[0](key, params, memory, _no_targets(arena))[0]
        one = as_numbers(tally)
        total = one if total is None else together(total, one)
        progress("behind the safety layer", number + 1, count)
    assert total is not None
    missed = round(float(total.onset_count.sum())) - len(violations)
    return Contest(names, total), violations, missed


def _no_targets(arena: Arena) -> jax.Array:
    lanes = arena.policies * arena.lanes
    return jnp.full((len(STARTS) * ONSETS, lanes), NEVER, jnp.int32)


def _without(
    site: Site,
    plan: Plan,
    everyone: Mapping[str, Controller],
    seed: int,
    progress: Progress,
) -> Contest:
    """Return everyone on the bare plant, in the same episodes."""
    task = hostile_task(site, True, plan.variation, plan.steps)
    environment, params = environments(site, task)["bare"]
    arena = make_arena(everyone, tuple(everyone), plan.lanes, environment, plan.steps)

    def show(done: int) -> None:
        progress("without it", done, plan.bare)

    return Contest(tuple(everyone), campaign(arena, params, plan.bare, seed, show))


def _hunted(
    site: Site, plan: Plan, has_faults: bool, seed: int, progress: Progress
) -> tuple[Contest, list[Violation], int]:
    """Return what the hunts found, with or without faults."""
    task = hostile_task(
        site, has_faults, plan.variation, plan.effort.steps, often=FAULTS_OFTEN
    )
    hunt = Hunt(site, shielded_task(site, task), plan.effort)
    where = "faults" if has_faults else "no faults"
    tallies, names, violations, missed = [], [], [], 0
    for name in plan.hunts:
        label = f"{name}, {where}"

        def show(done: int, label: str = label) -> None:
            progress(label, done, plan.effort.rounds)

        tally, found, more = hunt.run(name, seed, show)
        tallies.append(tally)
        names.append(label)
        violations += [dataclasses.replace(v, policy=label) for v in found]
        missed += more
    total = tallies[0]
    for other in tallies[1:]:
        total = beside(total, other)
    return Contest(tuple(names), total), violations, missed


def _coverage(
    site: Site,
    plan: Plan,
    everyone: Mapping[str, Controller],
    seed: int,
    progress: Progress,
) -> dict[float, Coverage]:
    """Return the margins' coverage on nominal and on other plants."""
    if plan.trials == 0:
        return {}
    lineup = Lineup(tuple(everyone[name] for name in COVERAGE_POLICIES), plan.lanes)
    task = hostile_task(site, False, 0.0)
    environment, _ = environments(site, task)["filtered"]
    run = jax.jit(Trial(lineup, environment, 288).run)
    found = {}
    for variation in (0.0, plan.variation):
        task = hostile_task(site, False, variation)
        _, params = environments(site, task)["filtered"]
        parts = []
        for number in range(plan.trials):
            key = jax.random.fold_in(jax.random.key(seed + 1), number)
            parts.append(run(key, params))
            progress(f"margins, plants {variation:.0%} off", number + 1, plan.trials)
        found[variation] = summed(parts)
    return found


def _projection(
    site: Site,
    plan: Plan,
    everyone: Mapping[str, Controller],
    seed: int,
    progress: Progress,
) -> Mapping[str, Any] | None:
    """Return the evidence for the projection, unless it is left out."""
    if plan.envelopes == 0:
        return None
    task = hostile_task(site, True, plan.variation)
    named = {name: everyone[name] for name in ("g36", "walk", "ends")}
    progress("projection", 0, 1)
    found = projection_evidence(
        shielded_task(site, task), named, plan.envelopes, seed, processes=2
    )
    progress("projection", 1, 1)
    return found
