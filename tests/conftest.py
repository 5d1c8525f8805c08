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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file in one worker, but every notebook for itself, and those first."""
    for item in items:
        is_notebook = item.path.parent.name == "notebooks"
        group = item.nodeid if is_notebook else item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path.parent.name != "notebooks")


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
def compiled_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep compiled programs on disk: workers and child processes share them."""
    root = tmp_path_factory.getbasetemp()
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    folder = (root.parent if is_worker else root) / "compiled"
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.3,
        "jax_persistent_cache_min_entry_size_bytes": 0,
        # A bound brings the lock without which nobody may share the folder.
        "jax_compilation_cache_max_size": 8 * 2**30,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            jax.config.update(name, value)
            patch.setenv(name.upper(), str(value))
        yield folder


@pytest.fixture(scope="module", autouse=True)
def released_programs() -> Iterator[None]:
    """Unload a module's programs: a process may map only so many (65,530 on Linux)."""
    yield
    jax.clear_caches()
    gc.unfreeze()
    gc.collect()
