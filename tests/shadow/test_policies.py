"""A policy from a folder, and what it sees of a site it was not made for."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coolbound_shadow
from coolbound_controllers.networks import init_actor
from coolbound_controllers.normaliser import init_normaliser
from coolbound_controllers.policy import PolicyWeights
from coolbound_controllers.policy_folder import save_policy
from coolbound_controllers.provenance import versions
from coolbound_envs.features import FEATURE_NAMES
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import ACTION_SIZE, POINT_INDEX, POINT_NAMES
from coolbound_shadow.log_types import Log
from coolbound_shadow.policies import read_policy, scale_factors, view_of
from coolbound_shadow.proposals import propose
from coolbound_shadow.replay_inputs import replay_inputs


def saved(folder: Path, site_digest: str) -> str:
    size = len(FEATURE_NAMES)
    actor = init_actor(jax.random.key(0), size, (8, 8), ACTION_SIZE, -1.0)
    weights = PolicyWeights(
        network=actor.network,
        log_std=actor.log_std,
        bias=jnp.full((ACTION_SIZE,), 0.5, jnp.float32),
        normaliser=init_normaliser(size),
    )
    manifest = {
        "name": "toy",
        "algorithm": "none",
        "site_digest": site_digest,
        "command": "none",
        "seed": 0,
        "revision": "unknown",
        "metrics": {},
        "hyperparameters": {},
        "versions": versions(),
    }
    return save_policy(folder, weights, manifest, FEATURE_NAMES)


@pytest.fixture(scope="module")
def december() -> Site:
    package = Path(coolbound_shadow.__file__).parent
    return load_site(package / "sites" / "december_plant.toml")


def test_a_policy_on_its_own_site_sees_the_readings_as_they_are(
    site: Site, two_days: Log, tmp_path: Path
) -> None:
    digest = saved(tmp_path / "policy", site.digest)
    policy, notes = read_policy(tmp_path / "policy", site, two_days)
    assert (policy.name, policy.digest, notes) == ("toy", digest, ())
    inputs = replay_inputs(two_days, site.zone)
    found = propose(policy.controller, inputs, policy.view)
    is_known = np.all(np.isfinite(inputs.value), axis=1)
    assert is_known.mean() > 0.9
    assert np.all(np.isfinite(found.action[is_known]))


def test_powers_and_flows_are_scaled_by_nameplate_and_temperatures_are_not(
    site: Site, december: Site
) -> None:
    factor = dict(
        zip(POINT_NAMES, scale_factors(december.plant, site.plant), strict=True)
    )
    assert factor["it_power_hall1"] == pytest.approx(4000.0 / 1900.0)
    assert factor["chw_flow"] == pytest.approx(149.3 / 88.0)
    assert factor["chw_supply_temp"] == factor["chillers_running"] == 1.0


def test_only_points_that_the_log_lacks_are_assumed(site: Site, two_days: Log) -> None:
    kept = tuple(n for n in two_days.observable if n != "room_dew_point_hall1")
    view = view_of(site, site, dataclasses.replace(two_days, observable=kept))
    assumed = np.flatnonzero(np.isfinite(np.asarray(view.assumed)))
    assert assumed.tolist() == [POINT_INDEX["room_dew_point_hall1"]]
    assert not np.any(np.isfinite(np.asarray(view.assumed_applied)))


def test_a_policy_of_an_unknown_site_is_used_with_a_warning(
    site: Site, two_days: Log, tmp_path: Path
) -> None:
    saved(tmp_path / "policy", "f" * 64)
    _, notes = read_policy(tmp_path / "policy", site, two_days)
    assert any("a site file that is not at hand" in note for note in notes)
