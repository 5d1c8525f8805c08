"""A safety layer whose parts can be broken one by one, without compiling any."""

import dataclasses
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import OBSERVATION_SIZE, channel_array
from coolbound_envs.types import Action, Observation, Quality, action_from_vector
from coolbound_safety.agreement import Tools
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.guard import Options
from coolbound_safety.layer import SafetyLayer
from coolbound_safety.staging import Staging
from coolbound_safety.types import Envelope, to_unit64
from coolbound_safety.verify_rule import Verification, VerifyStatus

LOWER, UPPER = channel_array("lower"), channel_array("upper")
SPAN = UPPER - LOWER
HELD = np.array([22.0, 22.0, 0.72, 0.72, 12.0, 80.0, 0.8, 0.6, 2.0, 0.0])
BACKUP = np.array([21.0, 21.0, 0.82, 0.82, 11.5, 95.0, 0.9, 0.6, 2.0, 0.0])
RULE = np.array([23.0, 23.0, 0.80, 0.80, 13.0, 70.0, 0.7, 0.5, 2.0, 0.0])
FAN_FLOOR = 0.70
"""The made envelope keeps the fans of hall 1 above this. [1]"""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule-based controller that always asks for the same."""

    action: tuple[float, ...] = tuple(RULE)

    def init(self, params: Any = ()) -> jax.Array:
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: Any, state: jax.Array, observation: Observation
    ) -> tuple[Action, Any]:
        vector = jnp.asarray(self.action, jnp.float32)
        return action_from_vector(vector), state + 1.0


def along(channel: int, value: float) -> float:
    """Return a channel's value in the projection's coordinates."""
    return float(to_unit64(np.where(np.arange(10) == channel, value, LOWER))[channel])


def made_envelope(**changes: Any) -> Envelope:
    """Return one envelope of two rows: fans of hall 1, and an idle one."""
    rows = np.zeros((2, 10))
    rows[0, 2] = -1.0
    ramp = to_unit64(LOWER + channel_array("ramp"))
    held = to_unit64(HELD)
    fields = {
        "lower": np.maximum(held - ramp, 0.0),
        "upper": np.minimum(held + ramp, to_unit64(UPPER)),
        "G": rows,
        "h": np.array([-along(2, FAN_FLOOR), 1.0]),
        "price": np.array([1e3, 1e2]),
        "scale": np.array([0.7, 1.0]),
        "priority": np.array([1, 2]),
        "held": held,
        "backup": to_unit64(BACKUP),
    }
    fields["lower"][8], fields["upper"][8] = held[8], held[8]
    return Envelope(**(fields | changes), names=("AIRFLOW_RATIO:hall1", "ECWT_MIN"))


def made_options(asked: np.ndarray, **changes: Any) -> Options:
    """Return options with one admissible number of machines: two."""
    one = changes.pop("envelope", made_envelope())
    stacked = jax.tree.map(lambda x: np.stack([np.asarray(x)] * 3), one)
    made: Any = np.asarray
    fields = {
        "estimate": types.SimpleNamespace(stale=np.float32(0.0)),
        "envelopes": stacked,
        "staging": Staging(
            machines=made(np.asarray([1.0, 2.0, 3.0])),
            penalty=made(np.asarray([1e6, 0.0, 1e6])),
            admissible=made(np.asarray([False, True, False])),
        ),
        "asked": to_unit64(asked),
        "is_emergency": np.asarray(False),
        "is_blind": np.asarray(False),
    }
    return Options(**(fields | changes))


def finding(
    status: VerifyStatus = VerifyStatus.AGREED, best: str = "action"
) -> Verification:
    values = np.full(len(LIMIT_NAMES), -1.0)
    failed = ("CA_T_MAX",) if status == VerifyStatus.VETOED else ()
    return Verification(status, values, values, values, failed, -1.0, best, 0.0)


@dataclasses.dataclass
class Check:
    """A second check that finds what it is told to."""

    found: Verification = dataclasses.field(default_factory=finding)

    def remember(self, record: Any, observation: Observation) -> Any:
        return record

    def verify(self, *given: Any) -> Verification:
        return self.found

    def warm_up(self) -> None:
        return None


def same_rows(*given: Any) -> tuple[Any, Any, Any]:
    """Return the rows that the options had already."""
    envelope = made_options(np.zeros(10)).envelopes
    return envelope.G[1], envelope.h[1], envelope.scale[1]


def made_tools(**changes: Any) -> Tools:
    """Return tools that agree with everything, some of them replaced."""
    fields: dict[str, Any] = {
        "prepare": lambda memory, seen, asked: (made_options(asked), memory + 1),
        "back_check": lambda *given: types.SimpleNamespace(share=1.0),
        "tangent": same_rows,
        "safety_filter": SafetyFilter(),
        "verifier": Check(),
    }
    return Tools(**(fields | changes))


def made_layer(limit_s: float = 30.0, rule: Rule | None = None, **changes: Any) -> Any:
    """Return a layer of such tools; its memory counts the steps that were kept."""
    layer = SafetyLayer(None, rule or Rule(), made_tools(**changes), limit_s)  # type: ignore[arg-type]
    layer._memory = 0  # type: ignore[assignment]
    return layer


def made_observation(**changes: Any) -> Observation:
    fields = {
        "value": np.full(OBSERVATION_SIZE, 20.0, np.float32),
        "quality": np.full(OBSERVATION_SIZE, int(Quality.GOOD), np.int32),
        "age": np.zeros(OBSERVATION_SIZE, np.float32),
        "applied": HELD.astype(np.float32),
        "time": np.float32(0.0),
    }
    return Observation(**(fields | changes))
