"""The policy that is shadowed, and what it sees of a site it was not made for.

Extensive readings (kW, kg/s) are scaled by nameplate to the site that the policy
was trained on. A point that the log does not hold is assumed to read what it
does on a plant at its start; each is counted and named. The safety layer sees
none of this: it works on what was observed.
"""

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.policy import LearnedPolicy
from coolbound_controllers.policy_folder import load_policy
from coolbound_envs.features import FEATURE_NAMES, feature_map
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE
from coolbound_envs.scenario import Scenario
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_envs.types import Controller
from coolbound_shadow.closed_loop import one_place, start_plant
from coolbound_shadow.controller_calls import View, make_view
from coolbound_shadow.envelopes import nominal_action
from coolbound_shadow.log_types import Log
from coolbound_shadow.replay import Policy
from coolbound_shadow.simulate import task_params
from coolbound_shadow.twin_inputs import BLOCK_DAYS

MILD_DAY = {"dry_bulb": 22.0, "wet_bulb": 16.0, "dew_point": 12.0}
"""Outdoor air of the start that assumed readings are taken from. [degC]"""

USUAL_LOAD = 0.6
"""Utilisation there. [1]"""


def embedded_policy() -> Path:
    """Return the folder of the policy that ships with the package."""
    return Path(str(resources.files("coolbound_controllers") / "policies/reference"))


def read_policy(folder: Path, site: Site, log: Log) -> tuple[Policy, tuple[str, ...]]:
    """Return a verified policy as it sees this site, and notes for the report.

    Raises:
        InputError: The folder is no policy, or one for other channels.
    """
    learned = load_policy(folder, feature_map(site), FEATURE_NAMES)
    trained_on = learned.manifest["site_digest"]
    if trained_on == site.digest:
        return _named(learned, site, site, log), _notes(site, site, log)
    training = load_site()
    learned = load_policy(folder, feature_map(training), FEATURE_NAMES)
    notes = _notes(site, training, log)
    if trained_on != training.digest:
        notes += (
            f"The policy was trained on a site file that is not at hand (digest "
            f"{trained_on[:12]}); the sizes of '{training.name}' are taken for it.",
        )
    return _named(learned, site, training, log), notes


def _named(learned: LearnedPolicy, site: Site, training: Site, log: Log) -> Policy:
    view = view_of(site, training, log)
    return Policy(learned, learned.name, learned.digest, view)


def wrap_controller(
    controller: Controller, name: str, site: Site, log: Log
) -> tuple[Policy, tuple[str, ...]]:
    """Return any controller as a policy made for this site, and notes.

    Its digest is that of its name and settings as text.
    """
    digest = hashlib.sha256(f"{name} {controller!r}".encode()).hexdigest()
    policy = Policy(controller, name, digest, view_of(site, site, log))
    return policy, _notes(site, site, log)


def view_of(site: Site, training: Site, log: Log) -> View:
    """Return what a policy trained on one site sees of another.

    Args:
        site: The site that is shadowed.
        training: The site that the policy was trained on.
        log: The site's log; what it does not hold is assumed.
    """
    is_held = np.asarray([name in log.observable for name in POINT_NAMES])
    assumed = np.full(len(POINT_NAMES), np.nan)
    if not np.all(is_held):
        assumed = np.where(is_held, np.nan, nominal_readings(site))
    is_set = np.asarray([name in log.observable for name in CHANNEL_NAMES])
    applied = np.where(is_set, np.nan, nominal_action())
    return make_view(scale_factors(site.plant, training.plant), assumed, applied)


def nominal_readings(site: Site) -> np.ndarray:
    """Return what a plant reads after two hours at its start, (P,)."""
    hours, steps = BLOCK_DAYS * 24, BLOCK_DAYS * 288

    def table(value: float, length: int) -> jax.Array:
        return jnp.full((1, length), value, jnp.float32)

    scenario = Scenario(
        **{name: table(value, hours) for name, value in MILD_DAY.items()},
        pressure=table(STANDARD_PRESSURE, hours),
        hours=jnp.asarray([hours], jnp.int32),
        utilisation=table(USUAL_LOAD, steps),
        steps=jnp.asarray([steps], jnp.int32),
    )
    applied = jnp.asarray(nominal_action(), jnp.float32)[None, :]
    params = task_params(site, scenario)
    observation, _ = start_plant(jax.random.key(0), one_place(0, 0), applied, params)
    return np.asarray(observation.value[0], dtype=np.float64)


def scale_factors(site: PlantParams, training: PlantParams) -> np.ndarray:
    """Return nameplate of the training site over this site's, by point, (P,) [1]."""
    ratios = {
        "it_power": training.it.design_power / site.it.design_power,
        "facility_power": training.it.design_power / site.it.design_power,
        "crah_fan_power": training.crah.fan_power / site.crah.fan_power,
        "chw_flow": training.chw.design_flow / site.chw.design_flow,
        "chw_pump_power": training.chw.design_flow / site.chw.design_flow,
        "cw_flow": training.condenser.design_flow / site.condenser.design_flow,
        "cw_pump_power": training.condenser.design_flow / site.condenser.design_flow,
        "tower_fan_power": training.condenser.fan_power / site.condenser.fan_power,
        "chiller_power": training.chiller.capacity / site.chiller.capacity,
    }
    stems = [name.partition("_hall")[0] for name in POINT_NAMES]
    return np.asarray([float(ratios.get(stem, 1.0)) for stem in stems])


def _notes(site: Site, training: Site, log: Log) -> tuple[str, ...]:
    return (*_scale_notes(site, training), *_assumption_notes(log))


def _scale_notes(site: Site, training: Site) -> Sequence[str]:
    factors = scale_factors(site.plant, training.plant)
    if np.allclose(factors, 1.0):
        return ()
    low, high = float(np.min(factors[factors != 1.0])), float(np.max(factors))
    return (
        f"The policy was made for '{training.name}': powers and flows are scaled to "
        f"it by nameplate, by factors of {low:.2g} to {high:.2g}.",
    )


def _assumption_notes(log: Log) -> Sequence[str]:
    points = [name for name in POINT_NAMES if name not in log.observable]
    channels = [name for name in CHANNEL_NAMES if name not in log.observable]
    if not points and not channels:
        return ()
    return (
        f"The policy saw {len(points)} assumed points of {len(POINT_NAMES)} and "
        f"{len(channels)} assumed set-points of {len(CHANNEL_NAMES)}: its proposals "
        "on this site illustrate the pipeline, no more. The safety layer used none "
        "of them.",
    )
