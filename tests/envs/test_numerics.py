"""The installed JAX is sound, and the self-test would notice if it were not."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest

from coolbound_envs import numerics


def test_installed_jax_returns_right_sums_at_every_batch() -> None:
    assert numerics.self_test() == []
    numerics.require_sound_numerics()


def last_lane_wrong(function: numerics.Products) -> numerics.Products:
    return lambda x: function(x).at[..., -1].multiply(0.99)


def last_lane_nan(function: numerics.Products) -> numerics.Products:
    return lambda x: function(x).at[..., -1].set(jnp.nan)


@pytest.mark.parametrize("fault", [last_lane_wrong, last_lane_nan])
def test_one_wrong_lane_is_noticed(
    fault: Callable[[numerics.Products], numerics.Products],
) -> None:
    products = fault(numerics.outer_products)
    norms = fault(numerics.squared_norms)
    assert not numerics.outer_products_error(4096, products) <= 1e-3
    assert not numerics.squared_norms_error(32769, norms) <= 1e-6


def test_unsound_jax_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "self_test", lambda: ["sums are off"])
    with pytest.raises(numerics.NumericsError, match=f"jax {jax.__version__}.*sums"):
        numerics.require_sound_numerics()
