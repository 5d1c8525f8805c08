"""What a measurement was made on."""

import os
import platform
from typing import Any

from coolbound.startup import processor
from coolbound_controllers.provenance import git_revision, versions


def machine_facts() -> dict[str, Any]:
    """Return machine and versions, without anything that names the machine."""
    return {
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "others_running": _load(),
        },
        "versions": versions(),
        "revision": git_revision(),
    }


def _load() -> float | None:
    """Return the load average of the last minute where there is one [1]."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
