"""All figures that set policy and operator side by side, gathered."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from coolbound_envs.site import Site
from coolbound_shadow.agreement import Agreement, agreements
from coolbound_shadow.conditions import Conditions, conditions
from coolbound_shadow.coverage import Coverage, Year, coverage
from coolbound_shadow.divergence import Divergence, divergence
from coolbound_shadow.log_types import Log
from coolbound_shadow.novelty import farthest_features
from coolbound_shadow.potential import Cell, Exclusions, binned, without_doubtful
from coolbound_shadow.refusal_limits import RefusalLimits, published
from coolbound_shadow.replay import Policy, Replay
from coolbound_shadow.shift_plan import USUAL, ShiftPlan
from coolbound_shadow.twin import Twin


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a run says beyond its totals. Static.

    Attributes:
        met: Load and weather of each row.
        agreement: By shift, hour, load and wet bulb.
        coverage: How much of the operating range was seen.
        divergence: Unfamiliar observations and alerts.
        cells: The potential in each bin of load and wet bulb.
        exclusions: The potential without doubtful steps.
    """

    met: Conditions
    agreement: Mapping[str, Agreement]
    coverage: Coverage
    divergence: Divergence
    cells: tuple[Cell, ...]
    exclusions: Exclusions

    def as_data(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "agreement_by": {k: v.as_data() for k, v in self.agreement.items()},
            "coverage": self.coverage.as_data(),
            "divergence": self.divergence.as_data(),
            "potential_by_bin": [cell.as_data() for cell in self.cells],
        }


def compare(
    site: Site,
    log: Log,
    policy: Policy,
    found: Replay,
    twin: Twin,
    year: Year | None,
    limits: RefusalLimits | None = None,
    plan: ShiftPlan = USUAL,
) -> Comparison:
    """Return all figures of a run.

    Args:
        site: The plant.
        log: What was replayed.
        policy: What was shadowed.
        found: Row by row.
        twin: Operator and policy in the model.
        year: The site's operating range; None where it is not known.
        limits: Below what no number is told; None for the published ones.
        plan: The hours of the site's shifts.
    """
    limits = limits or published()
    met = conditions(log, site)
    farthest = farthest_features(policy.controller, policy.view, found.inputs)
    modelled = None if twin.novel is None else float(np.mean(twin.novel))
    return Comparison(
        met=met,
        agreement=agreements(found.decisions, met, plan),
        coverage=coverage(log, met, year, limits),
        divergence=divergence(found.decisions, farthest, modelled),
        cells=binned(log, twin, met, limits.floors),
        exclusions=without_doubtful(log, twin, found.decisions, limits.floors),
    )
