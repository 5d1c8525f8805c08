"""EnergyPlus as a plant: the same observations, actions, reward and intervals.

Runs on the host, one plant at a time, in a process of its own; nothing here is
compiled or differentiated. `docs/energyplus.md` says what acts on what.
"""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

import jax
import numpy as np

from coolbound_envs.accounts import REWARD_POWER, TRIP_PRICE, TRIP_TEMP
from coolbound_envs.action_box import is_refused
from coolbound_envs.energyplus.bas import Bas
from coolbound_envs.energyplus.course import STEP, Course
from coolbound_envs.energyplus.engine import Engine, ErrorFile, read_error_file
from coolbound_envs.energyplus.launch import launch
from coolbound_envs.energyplus.observation import (
    observe,
    power_by_consumer,
    true_points,
    water_use,
)
from coolbound_envs.energyplus.options import (
    Options,
    check_length,
    check_options,
    is_installed,
)
from coolbound_envs.energyplus.orders import (
    commands_for,
    disturbance_of,
    surroundings_of,
)
from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.sequencer import SequencerState
from coolbound_envs.settling import initial_action
from coolbound_envs.site import Site
from coolbound_envs.types import Action, Observation

__all__ = ["EnergyPlusPlant", "Options", "is_installed"]


_is_refused = jax.jit(is_refused)


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
        check_options(self._options)
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
        check_length(course.steps, self._options.settle_steps)
        first = disturbance_of(course, 0)
        self._course, self._step, self.refused = course, 0, 0
        self._applied = initial_action(first, ()) if applied is None else applied
        self._rng = np.random.default_rng(seed)
        self._bas = Bas(self.site.plant, first)
        self._readings: dict[str, float] = {}
        self._surroundings = surroundings_of(course, self.site.plant, self.sizes)
        self.folder = self._make_folder()
        self._engine = launch(
            self.folder,
            self.site,
            self.sizes,
            course,
            self._next_commands(),
            self._options,
        )
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
        self.give(action)
        return self.take()

    def give(self, action: Action) -> None:
        """Begin a control interval; `take` waits for its end.

        Several plants that are given their actions first run side by side.

        Raises:
            EnergyPlusError: The engine failed.
            RuntimeError: There was no `reset`, or the course is over.
        """
        if self._engine is None or self._step >= self._course.steps:
            raise RuntimeError("no run, or its course is over: call reset")
        self._is_out = bool(_is_refused(action))
        self.refused += self._is_out
        self._applied = self._applied if self._is_out else action
        self._send()

    def take(self) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Return what `step` does, of the interval that was begun.

        Raises:
            EnergyPlusError: The engine failed.
        """
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
            "action_refused": self._is_out,
            "readings": self._readings,
        }
        is_over = self._step >= self._course.steps and not is_tripped
        reward -= TRIP_PRICE * is_tripped
        return self._observation(), reward, is_tripped, is_over, info

    @property
    def machines(self) -> SequencerState:
        """What the sequencer has commanded, and since when; leaves (chillers,), ()."""
        return self._bas.machines

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

    def _next_commands(self) -> Commands:
        wet_bulb = float(self._course.wet_bulb[self._step])
        basin = self._readings.get("cw_supply", wet_bulb + 5.0)
        returned = self._readings.get("chw_return", basin)
        running = self._bas.decide(self._applied, returned, basin)
        return commands_for(
            self._applied,
            running,
            self._surroundings[self._step],
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
