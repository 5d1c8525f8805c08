"""How the table says that a limit enters the projection is how its rows behave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from seen_plants import LOWER, SPAN, model, seen

from coolbound_envs.limit_table import HARD, LIMIT_NAMES, LIMITS
from coolbound_safety.estimate import Estimate
from coolbound_safety.estimator import observe
from coolbound_safety.estimator_state import first_state
from coolbound_safety.rows import ROW_NAMES, row_values

BY_NAME = {limit.name: limit for limit in LIMITS}
WITH_ROWS = tuple(dict.fromkeys(row.partition(":")[0] for row in ROW_NAMES))


@pytest.fixture(scope="module")
def bends() -> dict[str, float]:
    """Return how far each limit's rows are from affine in the action, at most."""
    observation = seen(chillers_running=2.0, economizer_running=0.0)
    now, _ = observe(first_state(), observation, model())
    # Memory that a first observation lacks.
    now = known(now)

    @jax.jit
    @jax.vmap
    def bend(first: jax.Array, second: jax.Array) -> jax.Array:
        middle = row_values(0.5 * (first + second), now, model())
        ends = row_values(first, now, model()) + row_values(second, now, model())
        return jnp.abs(middle - 0.5 * ends)

    draw = np.random.default_rng(0).random((2, 64, len(LOWER)))
    low, span = np.asarray(LOWER), np.asarray(SPAN)
    first, second = (jnp.asarray(low + span * share, jnp.float32) for share in draw)
    worst = np.max(np.asarray(bend(first, second)), axis=0)
    assert np.all(np.isfinite(worst))
    found = dict.fromkeys(WITH_ROWS, 0.0)
    for row, value in zip(ROW_NAMES, worst, strict=True):
        name = row.partition(":")[0]
        found[name] = max(found[name], float(value))
    return found


def known(now: Estimate) -> Estimate:
    return jax.tree.map(lambda x: jnp.where(jnp.isfinite(x), x, 22.0), now)


def test_what_is_called_exact_is_affine_in_the_action(bends: dict[str, float]) -> None:
    exact = [name for name in WITH_ROWS if BY_NAME[name].kinds == "E"]
    assert exact
    for name in exact:
        assert bends[name] < 1e-4, name


def test_what_is_called_linearised_may_bend(bends: dict[str, float]) -> None:
    """Those that do bend are called so; an affine one may be, for its prediction."""
    for name, bend in bends.items():
        if bend > 1e-2:
            assert "L" in BY_NAME[name].kinds, name
    assert sum(bend > 1e-2 for bend in bends.values()) >= 3


def test_an_interlock_alone_has_no_row() -> None:
    for limit in LIMITS:
        if set(limit.kinds) <= {"I"}:
            assert limit.name not in WITH_ROWS


def test_a_limit_that_is_never_relaxed_has_no_row_that_could_be() -> None:
    hard = {limit.name for limit in LIMITS if limit.priority == HARD}
    assert not hard & set(WITH_ROWS)
    assert set(LIMIT_NAMES) >= hard
