"""Giving back memory that compilation has freed.

Compiling the model takes hundreds of megabytes for a moment. The C library keeps what
was freed for later use, so that the process looks as large as its largest moment, and
each further compilation adds to that. Linux's library can be told to let go.
"""

import ctypes
import gc
import sys


def give_back() -> None:
    """Return freed memory to the system, where the system knows how."""
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
