"""The engine as seen from outside: a process that answers once an interval."""

import contextlib
import dataclasses
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.sizes import Sizes

ERROR_FILE = "eplusout.err"
LOG_FILE = "engine.log"
MODEL_FILE, WEATHER_FILE, RUN_FILE = "model.epJSON", "weather.epw", "run.json"
MARKS = ("** Severe  **", "**  Fatal  **")
EXIT_WAIT = 10.0
"""A process that was told to stop is killed after this. [s]"""


class EnergyPlusError(RuntimeError):
    """EnergyPlus could not run, or stopped by itself; the text says where to look."""


@dataclasses.dataclass(frozen=True)
class ErrorFile:
    """What `eplusout.err` says. Static.

    Attributes:
        path: Of the file.
        warnings: Lines that begin a warning.
        severe: Lines that begin a severe or fatal error.
        is_complete: Whether EnergyPlus came to its end.
    """

    path: Path
    warnings: tuple[str, ...]
    severe: tuple[str, ...]
    is_complete: bool


def read_error_file(folder: Path) -> ErrorFile:
    """Return the findings of a run's error file; a missing one has none."""
    path = folder / ERROR_FILE
    text = path.read_text(errors="replace") if path.is_file() else ""
    lines = [line.strip() for line in text.splitlines()]
    return ErrorFile(
        path=path,
        warnings=tuple(line for line in lines if line.startswith("** Warning **")),
        severe=tuple(line for line in lines if line.startswith(MARKS)),
        is_complete="EnergyPlus Completed Successfully" in text,
    )


class Engine:
    """One EnergyPlus run in a process of its own.

    Nothing hangs: every answer has a time limit, and a process that dies is told
    with the end of its files.
    """

    def __init__(
        self,
        folder: Path,
        sizes: Sizes,
        timesteps: int,
        first: Commands,
        limit: float,
        is_own: bool = False,
    ) -> None:
        """Start the process; model and weather already lie in the folder.

        Args:
            folder: Of the run; it gets the engine's files.
            sizes: Of the site.
            timesteps: Zone timesteps in an hour. [1]
            first: Held during the warm-up and the first interval.
            limit: Longest wait for one answer. [s]
            is_own: Whether the model has controls of its own: then only the load
                and what surrounds the plant are told.
        """
        self._folder, self._limit = folder, limit
        config = {
            "folder": str(folder),
            "model": str(folder / MODEL_FILE),
            "weather": str(folder / WEATHER_FILE),
            "timesteps": timesteps,
            "is_own": is_own,
            "sizes": dataclasses.asdict(sizes),
            "first": dataclasses.asdict(first),
        }
        (folder / RUN_FILE).write_text(json.dumps(config), encoding="utf-8")
        self._log = (folder / LOG_FILE).open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "coolbound_envs.energyplus.worker", RUN_FILE],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")

    def send(self, commands: Commands) -> None:
        """Give the commands of the next interval.

        Raises:
            EnergyPlusError: The process is gone.
        """
        self._write(json.dumps(dataclasses.asdict(commands)))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError, OSError) as error:
            raise self._dead("takes no more commands") from error

    def receive(self) -> dict[str, float]:
        """Return the readings of the interval that has just ended.

        Raises:
            EnergyPlusError: The run has failed, died, ended or takes too long.
        """
        try:
            line = self._lines.get(timeout=self._limit)
        except queue.Empty:
            self.kill()
            raise self._dead(f"gave no answer in {self._limit:g} s") from None
        if not line:
            raise self._dead("ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        if "readings" in answer:
            return answer["readings"]
        if "failed" in answer:
            last = answer["failed"].strip().splitlines()[-1]
            raise self._dead(f"failed in a callback: {last}")
        raise self._dead(f"ended by itself with code {answer['ended']}")

    def _dead(self, what: str) -> EnergyPlusError:
        found = read_error_file(self._folder)
        first = found.severe[0] if found.severe else "no severe error"
        code = self._process.poll()
        return EnergyPlusError(
            f"EnergyPlus in {self._folder} {what} (exit code {code}); its error file "
            f"says: {first}; see {found.path} and {self._folder / LOG_FILE}"
        )

    def stop(self) -> None:
        """End the run as EnergyPlus would itself, so that its files are complete."""
        if self._process.poll() is None:
            with contextlib.suppress(EnergyPlusError, subprocess.TimeoutExpired):
                self._write("{}")
                self._process.wait(timeout=EXIT_WAIT)
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._log.close()
