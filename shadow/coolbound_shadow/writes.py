"""How many times a shadow run tried to reach anything outside its process.

Nothing in this package can write to a plant: it holds no protocol and opens no
connection. That is not taken on trust. While a run lasts, Python's audit events
are watched, and each attempt of any code in the process, the policy's included,
to connect, bind or send over a socket, or to start another process, is counted.
"""

import sys
from types import TracebackType

OUTWARD = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
    }
)
"""Audit events of anything that leaves the process."""


class WriteCounter:
    """Counts what would leave the process, from entering to leaving it.

    Attributes:
        attempts: Events counted so far. [1]
    """

    _active: "WriteCounter | None" = None
    _is_hooked = False

    def __init__(self) -> None:
        """Count from zero."""
        self.attempts = 0

    def __enter__(self) -> "WriteCounter":
        """Begin to count."""
        if not WriteCounter._is_hooked:
            # A hook cannot be taken away again: it is set once, and idle between.
            sys.addaudithook(_watch)
            WriteCounter._is_hooked = True
        WriteCounter._active = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop counting."""
        WriteCounter._active = None


def _watch(event: str, _: tuple[object, ...]) -> None:
    counter = WriteCounter._active
    if counter is not None and event in OUTWARD:
        counter.attempts += 1
