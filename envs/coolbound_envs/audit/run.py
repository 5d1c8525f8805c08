"""All checks in their order, with progress; no files, no printing."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from coolbound_envs import numerics
from coolbound_envs.audit import (
    actuators,
    border,
    closure,
    costing,
    distribution,
    earning,
    ends,
    episodes,
    repeat,
    scoring,
    spoiling,
    watching,
)
from coolbound_envs.audit.episodes import Trajectory
from coolbound_envs.audit.lab import Lab, make_lab
from coolbound_envs.audit.records import (
    Audit,
    Check,
    Progress,
    Sizes,
    Subject,
    failed,
    judged,
)


def check_numerics(lab: Lab) -> Check:
    """Run the self-test of the installed linear algebra."""
    failures = numerics.self_test()
    sizes = ", ".join(f"{batch:,}" for batch in numerics.BATCHES)
    sentence = (
        f"Sums of products and squared norms at batch {sizes} against numpy in "
        f"float64: {'; '.join(failures) or 'sound'}."
    )
    return judged("numerics", len(failures), 0.0, "failures", sentence)


CHECKS: Final[dict[str, Callable[[Lab], Check | tuple[Check, list[Trajectory]]]]] = {
    "numerics": check_numerics,
    "determinism": repeat.check_determinism,
    "reset_independence": repeat.check_independence,
    "batch_size": repeat.check_batches,
    "batch_noise": repeat.check_batch_noise,
    "fresh_observation": watching.check_fresh,
    "reading_age": watching.check_age,
    "setpoints_in_force": watching.check_setpoints,
    "ends": ends.check_ends,
    "reward": earning.check_reward,
    "trip_price": earning.check_trip_price,
    "costs": costing.check_costs,
    "energy": closure.check_energy,
    "actuators": actuators.check_actuators,
    "action_space": border.check_action_space,
    "refused_actions": border.check_refused,
    "divergence": spoiling.check_divergence,
    "log_distribution": distribution.check_distribution,
    "degenerate_policies": scoring.check_degenerate,
    "random_episodes": episodes.check_episodes,
}
"""Every check by its name, in the order in which they are run."""

TITLES: Final[dict[str, str]] = {
    "numerics": "Linear algebra of the installed JAX",
    "determinism": "Same input, same bits",
    "reset_independence": "Resets do not remember",
    "batch_size": "Batches agree",
    "batch_noise": "Noise is the same in every batch",
    "fresh_observation": "Observations are of this step",
    "reading_age": "Ages and qualities are honest",
    "setpoints_in_force": "Set-points in force are shown",
    "ends": "Episodes end when they say",
    "reward": "Reward is what the meters say",
    "trip_price": "Tripping does not pay",
    "costs": "Costs rise with every violation",
    "energy": "Energy closes",
    "actuators": "Every actuator moves what it must",
    "action_space": "Action table, digest and box",
    "refused_actions": "Impossible actions are refused",
    "divergence": "Divergence is told, not returned",
    "log_distribution": "Simulated and logged readings",
    "degenerate_policies": "Cheating does not score",
    "random_episodes": "Random episodes do not fail",
}
"""What each check is called where people read."""


def run_audit(
    subject: Subject,
    sizes: Sizes | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    names: Sequence[str] = tuple(CHECKS),
) -> Audit:
    """Put an environment through the audit.

    Args:
        subject: The environment and what it is compared with.
        sizes: How much is tried; all of it unless given.
        seed: Of all random numbers.
        progress: Told before every check.
        names: Checks to run, of `CHECKS`.
    """
    begun = time.perf_counter()
    lab = make_lab(subject, sizes or Sizes(), seed)
    checks: list[Check] = []
    trajectories: list[Trajectory] = []
    for number, name in enumerate(names):
        if progress is not None:
            progress("audit", number, len(names))
        check, shown = _answer(name, lab)
        checks.append(check)
        trajectories += shown
    if progress is not None:
        progress("audit", len(names), len(names))
    seconds = time.perf_counter() - begun
    return Audit(subject.name, checks, trajectories, seed, seconds)


def _answer(name: str, lab: Lab) -> tuple[Check, list[Trajectory]]:
    """Return a check's answer; one that cannot be asked has failed, and says why."""
    try:
        found = CHECKS[name](lab)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        reason = f"Could not be run: {type(error).__name__}: {said}."
        return failed(name, float("nan"), "", reason), []
    return found if isinstance(found, tuple) else (found, [])
