"""Strict JAX on the CPU, and no test writes outside its own folders."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

# Above warnings: a program from the cache is said to prefer other instructions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point the project's cache at a temporary folder, for child processes too."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("COOLBOUND_CACHE_DIR")
    os.environ["COOLBOUND_CACHE_DIR"] = str(folder)
    yield folder
    if before is None:
        del os.environ["COOLBOUND_CACHE_DIR"]
    else:
        os.environ["COOLBOUND_CACHE_DIR"] = before


@pytest.fixture(scope="session", autouse=True)
def compiled_programs(cache_folder: Path) -> None:
    """Keep compiled programs on disk, so that modules share what they compile."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder / "tests"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


@pytest.fixture(scope="module", autouse=True)
def released_programs() -> Iterator[None]:
    """Unload a module's programs: a process may map only so many (65,530 on Linux)."""
    yield
    jax.clear_caches()
    gc.unfreeze()
    gc.collect()
