"""One process at a time commits, checkpoints, signs and seals.

SQLite 3.7.0 to 3.51.2 can lose committed records when one connection checkpoints
while another commits and resets the log (its "WAL-reset bug"); its own locks do
not cover that moment. Every writer therefore holds this lock around both, whatever
its version, since two versions may meet on one ledger. The kernel drops the lock
when its holder dies, by `kill -9` too.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from coolbound_envs.tables import InputError

POLL_S = 0.001
"""Pause between two attempts. [s]"""

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def hold(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be and never removed.

    Args:
        path: The file.
        timeout_s: How long to wait for another holder. [s]

    Raises:
        InputError: Another process held it all the time, or the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(
            f"{path}: found {error.strerror}, expected a file that this user may "
            "write; choose another folder for the ledger or ask for leave"
        ) from error
    try:
        _wait(handle, path, timeout_s)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, path: Path, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            return _lock(handle)
        except OSError as error:
            if time.monotonic() >= end:
                raise InputError(
                    f"{path.parent}: found another process writing for more than "
                    f"{timeout_s:g} s, expected the ledger to be free; end that "
                    "process or try again"
                ) from error
        time.sleep(POLL_S)
