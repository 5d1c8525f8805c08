"""What each row of the envelope predicts for an action, on the nonlinear model.

One function of action and estimate, margins included: its derivative makes the rows,
and its value checks the answer once more. Rows of *recovery* look one step further:
after load or wet bulb has grown and two more moves were made towards full cooling,
the limit must still be kept. They make sure that a way back exists.
"""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Scalar, action_from_vector
from coolbound_safety.estimate import Estimate
from coolbound_safety.foresight import RECOVERY
from coolbound_safety.hall_rows import HALL_ROWS, hall_rows
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import pull_down, tower_predictions
from coolbound_safety.plant_rows import PLANT_ROWS, plant_rows

ROW_NAMES: Final = (
    *(
        ":".join(part for part in (limit, f"hall{h + 1}", what) if part)
        for h in range(HALLS)
        for limit, what in HALL_ROWS
    ),
    *PLANT_ROWS,
)
"""Names of the rows: the limit, then after colons its place and what it looks at."""

ROW_LIMITS: Final = tuple(
    LIMIT_NAMES.index(name.partition(":")[0]) for name in ROW_NAMES
)
"""Index of each row's limit in the table of limits."""

IS_RECOVERY: Final = tuple(name.endswith(RECOVERY) for name in ROW_NAMES)
"""True where a row looks one step further."""

_NOTICEABLE: Final = {"K": 0.1, "1": 0.01, "kPa": 10.0}
NOTICEABLE: Final = tuple(_NOTICEABLE[LIMITS[i].unit] for i in ROW_LIMITS)
"""Differences of a row's value that count: less than this by a move over the whole
range is no authority, and less than this beyond a row is no violation of the model's
prediction. In the limit's unit; the coils' rows count kW. [mixed units]"""


def is_on(model: SafetyModel) -> jax.Array:
    """Return True for the rows of limits that are switched on, shape (m,)."""
    return model.limits.is_on[jnp.asarray(ROW_LIMITS)] > 0.5


def row_values(
    action: jax.Array, now: Estimate, model: SafetyModel, machines: Scalar | None = None
) -> jax.Array:
    """Return what each row predicts, shape (m,): 0 or less keeps the limit.

    Margins are included. NaN where the limit is not observable or idle.

    Args:
        action: One action, shape (10,). [each channel's unit]
        now: The estimate.
        model: Plant, limits and margins.
        machines: Machines that will run; those that run now where not given. [1]
    """
    act = action_from_vector(action)
    count = now.running if machines is None else machines
    tower = tower_predictions(
        act.tower_fan_speed,
        act.cw_pump_speed,
        now,
        model.plant,
        pull_down(act, now, model.plant),
    )
    halls = hall_rows(act, now, model, tower)
    return jnp.concatenate([halls, plant_rows(act, now, model, tower, count)])
