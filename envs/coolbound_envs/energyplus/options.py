"""How an EnergyPlus run is made, and whether EnergyPlus is there at all."""

import dataclasses
from importlib import util
from pathlib import Path

from coolbound_envs.energyplus.course import DAY_STEPS
from coolbound_envs.energyplus.observation import Instruments
from coolbound_envs.tables import InputError

TIMESTEPS = (12, 60)
"""Zone timesteps in an hour that EnergyPlus takes and that make up 300 s. [1]"""

DAYS_MOST = 363
"""Of one run: EnergyPlus' year, less the settling and a rest. [1]"""

PACKAGE = "pyenergyplus"


@dataclasses.dataclass(frozen=True)
class Options:
    """How an EnergyPlus run is made. Static.

    Attributes:
        timesteps: Zone timesteps in an hour, 12 or 60; EnergyPlus divides them
            further, down to a minute, where temperatures move fast. [1]
        iterations: Least iterations between the water loops in a timestep.
            EnergyPlus' own 2 leave up to 5 % of the heat between them. [1]
        settle_steps: Intervals on the first action before the first observation,
            at least one. [1]
        instruments: How readings differ from EnergyPlus' numbers.
        limit: Longest wait for one answer, the warm-up included. [s]
        folder: Keep the run's files here; by default they are removed.
    """

    timesteps: int = 12
    iterations: int = 6
    settle_steps: int = 24
    instruments: Instruments = dataclasses.field(default_factory=Instruments)
    limit: float = 120.0
    folder: Path | None = None


def is_installed() -> bool:
    """Return whether the optional extra is there."""
    return util.find_spec(PACKAGE) is not None


def check_options(options: Options) -> None:
    """Refuse options that EnergyPlus cannot run with.

    Raises:
        InputError: The extra is not installed, or an option is impossible.
    """
    if not is_installed():
        raise InputError(
            f"EnergyPlus: found no package {PACKAGE!r}, expected the extra "
            "coolbound[energyplus]; install it with `make energyplus`"
        )
    counts = (options.iterations, options.settle_steps)
    if options.timesteps not in TIMESTEPS or min(counts) < 1:
        raise InputError(
            f"EnergyPlus: found {options.timesteps} timesteps an hour, {counts[0]} "
            f"iterations and {counts[1]} settling intervals, expected one of "
            f"{TIMESTEPS} and at least 1 of each; correct the options"
        )


def check_length(steps: int, settle: int) -> None:
    """Refuse a run that does not fit into EnergyPlus' year.

    Raises:
        InputError: It is empty or too long.
    """
    if steps < 1 or steps + settle > DAYS_MOST * DAY_STEPS:
        raise InputError(
            f"EnergyPlus: found a course of {steps} intervals, expected 1 to "
            f"{DAYS_MOST} days of {DAY_STEPS}; divide it"
        )
