"""What must stand before jax is imported, and the one check after it.

Compiled programs are kept between runs in the user's cache folder, or in the
folder that COOLBOUND_CACHE_DIR names. A setting that is already in the
environment stays as it is.
"""

import functools
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

CACHE_VARIABLE = "COOLBOUND_CACHE_DIR"
"""Environment variable that names another cache folder."""


def cache_folder() -> Path:
    """Return the folder for compiled programs and remembered checks."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("coolbound", appauthor=False))


@functools.cache
def processor() -> str:
    """Return the name of the machine's processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        line.partition(":")[2].strip()
        for line in text.splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def fingerprint() -> str:
    """Return a short digest of the jaxlib version and the machine."""
    version = importlib.metadata.version("jaxlib")
    facts = (version, platform.system(), platform.machine(), processor())
    features = _processor_features()
    return hashlib.sha256("\n".join((*facts, features)).encode()).hexdigest()[:16]


def prepare_environment() -> None:
    """Set what jax reads when it is imported: compilation cache, quiet logs."""
    settings = {
        # Above warnings: a cached program is said to prefer other instructions.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        "MPLCONFIGDIR": str(cache_folder() / "matplotlib"),
    }
    # A home folder may serve several machines; programs fit only their own.
    compiled = cache_folder() / "compiled" / fingerprint()
    if _make(compiled):
        settings["JAX_COMPILATION_CACHE_DIR"] = str(compiled)
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def require_sound_numerics() -> None:
    """Test the linear algebra once per jaxlib and machine; remember a pass.

    Raises:
        NumericsError: The installed jax returns wrong numbers here.
    """
    passed = cache_folder() / f"numerics-{fingerprint()}.passed"
    if passed.is_file():
        return
    from coolbound_envs.numerics import require_sound_numerics as require

    require()
    if _make(passed.parent):
        passed.touch()


def _make(folder: Path) -> bool:
    """Return whether the folder stands and can be written; none is no error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _processor_features() -> str:
    """Return the instruction sets, which a virtual machine may cut down."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = (line for line in text.splitlines() if line.startswith(("flags", "Feat")))
    return next(lines, "").partition(":")[2].strip()
