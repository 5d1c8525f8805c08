"""From the names on the command line to the objects of the layers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import jax.numpy as jnp

from coolbound.choices import OPTIMUM, REFERENCE_POLICY, RULES, START_RULE
from coolbound.console import complain
from coolbound.grammar.common import nearest
from coolbound_controllers.arx_data import shipped_models
from coolbound_controllers.g36 import G36
from coolbound_controllers.g36_tuned import g36_tuned
from coolbound_controllers.legacy import Legacy
from coolbound_controllers.mpc import plant_mpc
from coolbound_controllers.mpc_arx import arx_mpc
from coolbound_controllers.operator_settings import OperatorSettings, parse_operator
from coolbound_controllers.pid import Pid
from coolbound_controllers.policy import LearnedPolicy
from coolbound_controllers.policy_folder import MANIFEST, load_policy
from coolbound_controllers.start_rule import StartRule
from coolbound_envs.episode import TaskParams
from coolbound_envs.features import FEATURE_NAMES, feature_map
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_policy import parse_limit_policy
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import make_scenario
from coolbound_envs.sensors import SensorParams
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import CHANNELS
from coolbound_envs.tables import InputError
from coolbound_envs.types import Controller
from coolbound_envs.weather import load_weather
from coolbound_safety.margins import safety_model
from coolbound_safety.shielded import ShieldedParams

DROPOUT = 1e-3
"""Probability that a reading does not arrive, in training and evaluation. [1]"""

ENDLESS = 2**30
"""Horizon of a task that is never cut off. [1]"""


@dataclasses.dataclass(frozen=True)
class Named:
    """A controller with the name that the user gave it. Static.

    Attributes:
        name: As tables print it.
        controller: The operator or policy.
        is_shielded: True where it acts behind the safety layer.
    """

    name: str
    controller: Controller
    is_shielded: bool


def chosen_site(name: str) -> Site:
    """Return the site of a command line; say which limits it switches off.

    Raises:
        InputError: The site, one of its limits or one of its margins is wrong.
    """
    site = load_site(name)
    safety_model(site, parse_limits(site.root, site.feeder_power))
    off = limits_off(site)
    if off:
        complain(f"site {site.name} switches off {', '.join(off)}")
    return site


def limits_off(site: Site) -> list[str]:
    """Return the names of the limits that a site switches off."""
    return list(parse_limit_policy(site.root).limits_off)


def plant_task(site: Site, weather: Sequence[str], loads: Sequence[str]) -> TaskParams:
    """Return the parameters of a task over some weather years and loads.

    Raises:
        InputError: A name or a file is wrong.
    """
    years = [load_weather(name) for name in weather]
    traces = [load_trace(name) for name in loads]
    return TaskParams(
        plant=site.plant,
        limits=parse_limits(site.root, site.feeder_power),
        sensors=SensorParams(
            noise=jnp.asarray(1.0, jnp.float32),
            dropout=jnp.asarray(DROPOUT, jnp.float32),
        ),
        scenario=make_scenario(years, traces),
        horizon=jnp.asarray(ENDLESS, jnp.int32),
    )


def shielded_task(site: Site, task: TaskParams) -> ShieldedParams:
    """Return the parameters of the same task behind the safety layer.

    Raises:
        InputError: A margin in the site file is wrong.
    """
    return ShieldedParams(task=task, safety=safety_model(site, task.limits))


def _warm_g36(site: Site, settings: OperatorSettings) -> Controller:
    warmest = CHANNELS[0].upper
    return G36(dataclasses.replace(settings, supply_air_reset=warmest))


def _mpc(site: Site, settings: OperatorSettings) -> Controller:
    limits = parse_limits(site.root, site.feeder_power)
    return plant_mpc(g36_tuned(settings), site.plant, limits)


def _arx_mpc(site: Site, settings: OperatorSettings) -> Controller:
    return arx_mpc(g36_tuned(settings), shipped_models())


_BARE: Final[Mapping[str, Callable[[Site, OperatorSettings], Controller]]] = {
    "legacy": lambda site, settings: Legacy(settings),
    "g36": lambda site, settings: G36(settings),
    "g36_25": _warm_g36,
    "g36_tuned": lambda site, settings: g36_tuned(settings),
    "pid": lambda site, settings: Pid(settings),
    "mpc": _mpc,
    "mpc-arx": _arx_mpc,
}
"""How each of `choices.BARE` is made for a site."""


def named_controller(name: str, site: Site) -> Named:
    """Return the controller of a name, or the policy of a folder.

    Raises:
        InputError: There is no such controller, or the policy cannot be used.
    """
    if name == START_RULE:
        return Named(name, StartRule(feature_map(site)), True)
    if name in _BARE:
        return Named(name, _BARE[name](site, parse_operator(site)), False)
    if name == OPTIMUM:
        raise InputError(
            f"controller {name!r}: found the bound at rest, expected a controller; "
            "it decides nothing, `evaluate` sets it beside those that do"
        )
    return Named(name, named_policy(name, site), True)


def named_policy(name: str, site: Site) -> LearnedPolicy:
    """Return the shipped policy, or that of a folder.

    Raises:
        InputError: There is no such policy, or it cannot be used.
    """
    return load_policy(policy_folder(name), feature_map(site), FEATURE_NAMES)


def policy_folder(name: str) -> Path:
    """Return the folder of a policy by name, or the folder itself.

    Raises:
        InputError: There is none.
    """
    folder = Path(name)
    if name == REFERENCE_POLICY:
        shipped = resources.files("coolbound_controllers") / "policies" / name
        folder = Path(str(shipped))
    elif (folder / "policy" / MANIFEST).is_file():
        folder = folder / "policy"
    if folder.is_dir():
        return folder
    known = (*RULES, REFERENCE_POLICY)
    raise InputError(
        f"controller {name!r}: no such folder, expected one of {', '.join(known)} or "
        f"the folder of a policy; did you mean {nearest(name, known)!r}?"
    )
