"""Which engine the plant runs on: our own, or EnergyPlus where it is installed."""

from collections.abc import Sequence
from typing import Protocol

from coolbound_envs.fault_kinds import FaultEvent
from coolbound_envs.load import Load
from coolbound_envs.site import Site
from coolbound_envs.types import Controller
from coolbound_envs.weather import Weather
from coolbound_shadow.controller_calls import Progress
from coolbound_shadow.log_types import Log


class LogMaker(Protocol):
    """Writes the log of an operator on one engine."""

    def __call__(
        self,
        site: Site,
        operator: Controller,
        weather: Weather,
        load: Load,
        start_day: int,
        days: int,
        seed: int,
        progress: Progress | None = None,
        faults: Sequence[FaultEvent] = (),
    ) -> Log:
        """Return a log of whole local days."""
        ...


def log_maker(engine: str) -> LogMaker:
    """Return what simulates on an engine.

    Args:
        engine: One of `coolbound.choices.ENGINES`.

    Raises:
        KeyError: There is no such engine.
    """
    from coolbound_shadow.energyplus_log import simulate_energyplus_log
    from coolbound_shadow.simulate import simulate_log

    makers: dict[str, LogMaker] = {
        "coolbound": simulate_log,
        "energyplus": simulate_energyplus_log,
    }
    return makers[engine]
