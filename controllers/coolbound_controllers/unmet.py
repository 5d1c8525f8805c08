"""Limits that training could not meet, with the evidence for it.

A multiplier that has come to its cap, while its cost stays above the limit, says that
the limit's price no longer changes what the policy does. For CPO it is the recovery
step, update after update: no step keeps the constraints.
"""

from collections.abc import Mapping, Sequence
from typing import Final

RECOVERY: Final = 0.0
"""`case` of CPO in which no step keeps all constraints."""

LEAST: Final = 4
"""Updates that are looked at, at least. [1]"""

Row = Mapping[str, float]


def unmet(
    rows: Sequence[Row], limits: Mapping[str, float], cap: float
) -> dict[str, dict[str, float]]:
    """Return the costs above their limit at a run's end while the price is at its cap.

    Args:
        rows: Lines of `metrics.csv`, oldest first; the last quarter is looked at.
        limits: Largest mean cost per control step, by constraint. [1]
        cap: Most that a multiplier's integrator can be. [1]

    Returns:
        By constraint its limit, the least cost of these updates, how many they are, and
        the last multiplier; empty for a run too short to say.
    """
    count = max(LEAST, len(rows) // 4)
    if len(rows) < count:
        return {}
    last = rows[-count:]
    return {
        name: {
            "limit": limit,
            "least_cost": min(row[f"cost_{name}"] for row in last),
            "updates": float(count),
            "multiplier": last[-1][f"multiplier_{name}"],
        }
        for name, limit in limits.items()
        if all(_is_stuck(row, name, limit, cap) for row in last)
    }


def _is_stuck(row: Row, name: str, limit: float, cap: float) -> bool:
    if row[f"cost_{name}"] <= limit:
        return False
    if "case" in row:
        return row["case"] == RECOVERY
    return row[f"multiplier_{name}"] >= cap
