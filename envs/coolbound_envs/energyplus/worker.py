"""The engine's own process: runs EnergyPlus and exchanges one row an interval.

Started as `python -m coolbound_envs.energyplus.worker RUN.json`. Standard input and
output carry JSON lines; what EnergyPlus prints goes to standard error. It needs
EnergyPlus and the standard library only, so that it starts fast and its CPU time is
EnergyPlus' own.

Lines in: `Commands`, or an empty object to stop. Lines out, in this order: one
`{"readings": ...}` for every interval after the warm-up, then one of
`{"ended": code}` and `{"failed": text}`.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from coolbound_envs.energyplus.actuation import Drives, Surroundings
from coolbound_envs.energyplus.hands import Hands
from coolbound_envs.energyplus.meters import Meters
from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.sizes import Sizes

INTERVALS_PER_HOUR = 12
"""Control intervals of 300 s. [1]"""


class Channel:
    """JSON lines to and from the process that started this one."""

    def __init__(self) -> None:
        """Keep standard output for rows, and send EnergyPlus' words elsewhere."""
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, row: dict[str, Any]) -> None:
        """Write one row."""
        self._out.write(json.dumps(row) + "\n")
        self._out.flush()

    def receive(self) -> Commands | None:
        """Return the next commands, or None where the run is to stop."""
        line = sys.stdin.readline()
        row = json.loads(line) if line.strip() else {}
        return Commands(**row) if row else None


class Run:
    """One EnergyPlus run, driven interval by interval.

    Attributes:
        state: EnergyPlus' own.
        failure: Trace of the first error in a callback; empty for none.
    """

    def __init__(self, api: Any, config: dict[str, Any], channel: Channel) -> None:
        """Register every callback.

        Args:
            api: `pyenergyplus.api.EnergyPlusAPI`.
            config: What RUN.json says.
            channel: Where commands come from and readings go to.
        """
        self._api, self._channel = api, channel
        self.state = api.state_manager.new_state()
        self.failure = ""
        self._spent = 0.0
        self._is_stopped = False
        self._each = config["timesteps"] // INTERVALS_PER_HOUR
        self._step = 0
        self._commands = Commands(**config["first"])
        sizes = Sizes(**config["sizes"])
        hands = Hands(api.exchange, self.state)
        step = 3600.0 / config["timesteps"]
        # Under EnergyPlus' own controls no channel is moved.
        kind = Surroundings if config["is_own"] else Drives
        self._drives, self._meters = kind(hands, sizes, step), Meters(hands, sizes)
        self._register()

    def _register(self) -> None:
        runtime = self._api.runtime
        runtime.set_console_output_status(self.state, False)
        for register, call in (
            (
                runtime.callback_begin_zone_timestep_before_init_heat_balance,
                self._begin,
            ),
            (runtime.callback_inside_system_iteration_loop, _go_on),
            (runtime.callback_end_system_timestep_after_hvac_reporting, self._add),
            (runtime.callback_end_zone_timestep_after_zone_reporting, self._end),
        ):
            register(self.state, self._guarded(call))

    def _guarded(self, call: Any) -> Any:
        """Return a callback that keeps its error: ctypes would swallow it."""

        def guarded(state: Any) -> None:
            ready = self._api.exchange.api_data_fully_ready(state)
            if self._is_stopped or not ready:
                return
            begun = time.thread_time()
            try:
                call(state)
            except Exception:
                self.failure = traceback.format_exc()
                self._stop()
            self._spent += time.thread_time() - begun

        return guarded

    def _stop(self) -> None:
        self._is_stopped = True
        self._api.runtime.stop_simulation(self.state)

    def _begin(self, state: Any) -> None:
        """Take new commands at the beginning of an interval."""
        is_warm = not self._api.exchange.warmup_flag(state)
        if is_warm and self._step % self._each == 0 and self._step > 0:
            commands = self._channel.receive()
            if commands is None:
                self._stop()
                return
            self._commands = commands
        self._drives.hold(self._commands)

    def _add(self, state: Any) -> None:
        if not self._api.exchange.warmup_flag(state):
            self._meters.add(self._api.exchange.system_time_step(state) * 3600.0)

    def _end(self, state: Any) -> None:
        """Tell the readings at the end of an interval."""
        if self._api.exchange.warmup_flag(state):
            return
        self._step += 1
        self._meters.add_zone_step()
        if self._step % self._each == 0:
            readings = self._meters.take()
            readings["cpu_s"] = time.process_time()
            readings["callback_s"] = self._spent
            self._channel.send({"readings": readings})


def _go_on(state: Any) -> None:
    """Do nothing, inside the iterations of air and water.

    That someone is called makes EnergyPlus iterate once more. Without it a timestep
    may end one pass too early, with 5 % of the heat not yet in the chillers.
    """
    del state


def main() -> int:
    """Run EnergyPlus once and return its exit code."""
    channel = Channel()
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from pyenergyplus.api import EnergyPlusAPI

    api = EnergyPlusAPI()
    run = Run(api, config, channel)
    arguments = ["-d", config["folder"], "-w", config["weather"], config["model"]]
    code = api.runtime.run_energyplus(run.state, arguments)
    if run.failure:
        channel.send({"failed": run.failure})
    else:
        channel.send({"ended": code})
    return code


if __name__ == "__main__":
    sys.exit(main())
