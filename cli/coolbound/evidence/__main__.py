"""A first look at the red team: `python -m coolbound.evidence --help`."""

import argparse
import time
from typing import Any

from coolbound.startup import prepare_environment


def show(names: list[str], tally: Any) -> None:
    """Print violations per 1,000 steps and worst h, by policy and limit."""
    from coolbound.evidence.causes import CALM
    from coolbound.evidence.tallies import HOT
    from coolbound_envs.limit_table import LIMIT_NAMES

    steps = tally.steps.sum(axis=1)
    calm = tally.steps[:, CALM].sum(axis=1)
    for p, name in enumerate(names):
        print(
            f"\n{name}: {steps[p]:.0f} steps, {tally.trips[p]:.0f} trips, "
            f"interventions {tally.interventions[p] / steps[p]:.3f}, relaxed "
            f"{tally.relaxed[p] / steps[p]:.4f}, flagged {tally.flagged[p]:.0f}, "
            f"HOT steps {tally.violations[p, HOT].sum():.0f} (calm "
            f"{tally.violations[p, HOT][list(CALM)].sum():.0f}), worst "
            f"{tally.worst[p, HOT]:+.2f} K"
        )
        print(
            f"  {'limit':18} {'per 1000':>9} {'calm/1000':>9} {'worst h':>9} "
            f"{'calm':>9} {'back mean':>9} {'longest':>8} [steps]"
        )
        for k, limit in enumerate(LIMIT_NAMES):
            over = tally.violations[p, k]
            if over.sum() == 0:
                continue
            back = tally.recovery_steps[p, k] / max(tally.recoveries[p, k], 1)
            quiet = over[list(CALM)].sum() / max(calm[p], 1)
            print(
                f"  {limit:18} {1e3 * over.sum() / steps[p]:9.3f} {1e3 * quiet:9.3f} "
                f"{tally.worst[p, k]:+9.3f} {tally.worst_calm[p, k]:+9.3f} "
                f"{back:9.1f} {tally.recovery_longest[p, k]:8.0f}"
            )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", nargs="+", default=[])
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--lanes", type=int, default=16)
    parser.add_argument("--faults", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--variation", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    # What jax reads when it is imported must stand before.
    prepare_environment()
    from coolbound.evidence.campaign import (
        campaign,
        environments,
        hostile_task,
        make_arena,
        policies,
    )
    from coolbound_envs.site import load_site

    site = load_site("reference")
    everyone = policies(site)
    names = options.policies or list(everyone)
    task = hostile_task(site, options.faults, options.variation)
    kind = "bare" if options.bare else "filtered"
    environment, params = environments(site, task)[kind]
    arena = make_arena(everyone, names, options.lanes, environment)
    begun = time.perf_counter()
    tally = campaign(arena, params, options.steps, options.seed)
    print(
        f"# {kind}, faults {options.faults}, variation {options.variation}, "
        f"{time.perf_counter() - begun:.0f} s, {tally.steps.sum():.0f} steps"
    )
    show(names, tally)


if __name__ == "__main__":
    main()
