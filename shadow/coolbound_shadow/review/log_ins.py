"""Who is logged in, kept by the server, and how attempts are slowed down."""

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, final

IDLE_S: Final = 3600.0
"""A log-in that nobody uses ends. [s]"""

LONGEST_S: Final = 12 * 3600.0
"""Any log-in ends, also one that is used. [s]"""

LONGEST_WAIT_S: Final = 300.0
"""Between two attempts. [s]"""

FORGOTTEN_S: Final = 3600.0
"""Failed attempts count that long. [s]"""

MOST_NAMES: Final = 10_000
"""Names and addresses that are remembered. [1]"""

Clock = Callable[[], float]


@dataclasses.dataclass
class _Open:
    """A log-in.

    Attributes:
        user: Who.
        mark: Of the password and role it was opened with.
        begun: When. [s]
        used: When it was used last. [s]
    """

    user: str
    mark: str
    begun: float
    used: float


@final
class LogIns:
    """The open log-ins. A cookie only names one: when it is closed, it is gone."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin with none."""
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def begin(self, user: str, mark: str) -> str:
        """Open one and return its name."""
        name, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            self._open = {k: v for k, v in self._open.items() if self._lives(v, now)}
            self._open[name] = _Open(user, mark, now, now)
        return name

    def user(self, name: str, marks: Mapping[str, str]) -> str | None:
        """Return whose log-in it is, None where it has ended.

        Args:
            name: As `begin` returned it.
            marks: Present mark of each user.
        """
        now = self._clock()
        with self._lock:
            found = self._open.get(name)
            is_good = found is not None and marks.get(found.user) == found.mark
            if found is None or not is_good or not self._lives(found, now):
                self._open.pop(name, None)
                return None
            found.used = now
            return found.user

    def end(self, name: str) -> None:
        """Close one."""
        with self._lock:
            self._open.pop(name, None)

    @staticmethod
    def _lives(found: _Open, now: float) -> bool:
        return now - found.used < IDLE_S and now - found.begun < LONGEST_S


@final
class Throttle:
    """Slows down who guesses: the wait doubles with every failed attempt."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin with no attempts."""
        self._clock = clock
        self._failed: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def attempt(self, free: Mapping[str, int]) -> float:
        """Return how long to wait [s]; 0 lets this attempt go on and counts it.

        Args:
            free: By name or address, the failures that cost nothing.
        """
        now = self._clock()
        with self._lock:
            wait = max(self._wait(key, most, now) for key, most in free.items())
            if wait <= 0.0:
                for key in free:
                    count = self._count(key, now)
                    self._failed.pop(key, None)
                    self._failed[key] = count + 1, now
                while len(self._failed) > MOST_NAMES:
                    del self._failed[next(iter(self._failed))]
        return max(0.0, wait)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a name."""
        with self._lock:
            self._failed.pop(key, None)

    def _count(self, key: str, now: float) -> int:
        count, last = self._failed.get(key, (0, now))
        return count if now - last < FORGOTTEN_S else 0

    def _wait(self, key: str, free: int, now: float) -> float:
        count = self._count(key, now)
        if count < free:
            return 0.0
        last = self._failed[key][1]
        return last + min(2.0 ** min(count - free, 20), LONGEST_WAIT_S) - now
