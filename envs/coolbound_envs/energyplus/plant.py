"""EnergyPlus as a plant: the same observations, actions, reward and intervals.

Runs on the host, one plant at a time, in a process of its own; nothing here is
compiled or differentiated. `docs/energyplus.md` says what acts on what.
"""

import dataclasses
import shutil
import tempfile
from importlib import util
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

import numpy as np

from coolbound_envs.action_box import is_refused
from coolbound_envs.cooling import REWARD_POWER, TRIP_PRICE, TRIP_TEMP
from coolbound_envs.energyplus.bas import Bas
from coolbound_envs.energyplus.course import DAY_STEPS, STEP, Course, hours_of
from coolbound_envs.energyplus.engine import (
    MODEL_FILE,
    WEATHER_FILE,
    Engine,
    ErrorFile,
    read_error_file,
)
from coolbound_envs.energyplus.model import build_model, write_model
from coolbound_envs.energyplus.observation import (
    Instruments,
    observe,
    power_by_consumer,
    true_points,
    water_use,
)
from coolbound_envs.energyplus.orders import commands_for, disturbance_of
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.energyplus.weather_file import write_epw
from coolbound_envs.settling import initial_action
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_envs.types import Action, Observation

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
    instruments: Instruments = Instruments()
    limit: float = 120.0
    folder: Path | None = None


def is_installed() -> bool:
    """Return whether the optional extra is there."""
    return util.find_spec(PACKAGE) is not None


@final
class EnergyPlusPlant:
    """One site in EnergyPlus.

    A context manager: leaving it ends the engine and removes its files.

    Attributes:
        site: The site.
        sizes: Its sizes as plain numbers.
        folder: Files of the present run.
        refused: Actions refused since `reset`. [1]
    """

    def __init__(self, site: Site, options: Options | None = None) -> None:
        """Prepare a site; `reset` starts the engine.

        Raises:
            InputError: The extra is not installed, or an option is impossible.
        """
        self._options = Options() if options is None else options
        _check_options(self._options)
        self.site, self.sizes = site, sizes_of(site.plant)
        self.folder = Path()
        self.refused = 0
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        """Return the plant."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the engine and remove its files."""
        self.close()

    def reset(
        self, course: Course, applied: Action | None = None, seed: int = 0
    ) -> Observation:
        """Start a run and return its first observation.

        Args:
            course: Weather and load; its length is the episode's.
            applied: Held while the plant settles; by default our plant's first
                action. Two machines run at first, whatever it asks for.
            seed: Of the instruments.

        Returns:
            Points (P,), set-points (10,); no batch axis.

        Raises:
            EnergyPlusError: EnergyPlus could not run.
            InputError: The course is longer than a year.
        """
        self.close()
        _check_course(course, self._options.settle_steps)
        first = disturbance_of(course, 0)
        self._course, self._step, self.refused = course, 0, 0
        self._applied = initial_action(first, ()) if applied is None else applied
        self._rng = np.random.default_rng(seed)
        self._bas = Bas(self.site.plant, first)
        self._readings: dict[str, float] = {}
        self.folder = self._make_folder()
        self._start_engine()
        self._receive()
        for _ in range(self._options.settle_steps - 1):
            self._send()
            self._receive()
        return self._observation()

    def step(
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run one control interval of 300 s.

        Args:
            action: Physical units, shapes (halls,) and (). One that is not finite
                or outside its box is refused: the last one holds.

        Returns:
            Observation, reward [1], terminated where servers were too hot to run,
            truncated at the course's end, and `info`: `power` by consumer [W],
            `work` [W], `water` of the tower [kg/s], `action_refused`, and
            `readings`, all that EnergyPlus told, in SI units.

        Raises:
            EnergyPlusError: The engine failed.
            RuntimeError: There was no `reset`, or the course is over.
        """
        if self._engine is None or self._step >= self._course.steps:
            raise RuntimeError("no run, or its course is over: call reset")
        is_out = bool(is_refused(action))
        self.refused += is_out
        self._applied = self._applied if is_out else action
        self._send()
        self._receive()
        work = float(np.sum(self._course.it_work[self._step]))
        self._step += 1
        power = power_by_consumer(self._readings, self.sizes)
        is_tripped = self._readings["inlet_max"] > TRIP_TEMP
        reward = -(sum(power.values()) - work) / REWARD_POWER
        info = {
            "power": power,
            "work": work,
            "water": water_use(self._readings),
            "action_refused": is_out,
            "readings": self._readings,
        }
        is_over = self._step >= self._course.steps and not is_tripped
        reward -= TRIP_PRICE * is_tripped
        return self._observation(), reward, is_tripped, is_over, info

    def errors(self) -> ErrorFile:
        """Return what EnergyPlus' error file says so far; whole after `stop`."""
        return read_error_file(self.folder)

    def stop(self) -> None:
        """End the engine, keep its files until `close`."""
        if self._engine is not None:
            self._engine.stop()
            self._engine = None

    def close(self) -> None:
        """End the engine and remove its files, unless a folder was named."""
        self.stop()
        is_own = self._options.folder is None and self.folder != Path()
        if is_own:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()

    def _make_folder(self) -> Path:
        if self._options.folder is None:
            return Path(tempfile.mkdtemp(prefix="coolbound-energyplus-"))
        self._options.folder.mkdir(parents=True, exist_ok=True)
        return self._options.folder.resolve()

    def _start_engine(self) -> None:
        course, options = self._course, self._options
        columns = (course.dry_bulb, course.dew_point, course.pressure)
        hours = [hours_of(column, options.settle_steps) for column in columns]
        write_epw(self.folder / WEATHER_FILE, *hours)
        days = len(hours[0]) // 24
        model = build_model(
            self.site.plant, self.sizes, days, options.timesteps, options.iterations
        )
        write_model(model, self.folder / MODEL_FILE)
        commands = self._next_commands()
        self._engine = Engine(
            self.folder, self.sizes, options.timesteps, commands, options.limit
        )

    def _next_commands(self):
        acting = disturbance_of(self._course, self._step)
        basin = self._readings.get("cw_supply", float(acting.wet_bulb) + 5.0)
        returned = self._readings.get("chw_return", basin)
        running = self._bas.decide(self._applied, returned, basin)
        return commands_for(
            self._applied,
            running,
            acting,
            self.site.plant,
            self.sizes,
            self._readings,
        )

    def _send(self) -> None:
        assert self._engine is not None
        self._engine.send(self._next_commands())

    def _receive(self) -> None:
        assert self._engine is not None
        self._readings = self._engine.receive()
        self._running = self._bas.advance(self._readings["cw_supply"])

    def _observation(self) -> Observation:
        pressure = 1e3 * float(self._applied.chw_pressure_setpoint)
        truth = true_points(self._readings, self._running, pressure, self.sizes)
        values = self._options.instruments.read(truth, self._rng)
        return observe(values, self._applied, self._course.start + STEP * self._step)


def _check_options(options: Options) -> None:
    if not is_installed():
        raise InputError(
            f"EnergyPlus: found no package {PACKAGE!r}, expected the extra "
            "coolbound[energyplus]; install it with `make energyplus`"
        )
    if options.timesteps not in TIMESTEPS or options.settle_steps < 1:
        raise InputError(
            f"EnergyPlus: found {options.timesteps} timesteps an hour and "
            f"{options.settle_steps} settling intervals, expected one of {TIMESTEPS} "
            "and at least 1; correct the options"
        )


def _check_course(course: Course, settle: int) -> None:
    days = (course.steps + settle) / DAY_STEPS
    if not 0 < course.steps or days > DAYS_MOST:
        raise InputError(
            f"EnergyPlus: found a course of {course.steps} intervals, expected 1 to "
            f"{DAYS_MOST} days of {DAY_STEPS}; divide it"
        )
