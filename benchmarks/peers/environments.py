"""Makes the virtual environments of the training peers, and locks their versions.

python benchmarks/peers/environments.py [--lock]

Each peer has one of its own under `.peers/`, made from `NAME.lock` alone: exact
versions with hashes, no dependency resolved. torch is its CPU build, which stands on
PyTorch's own index and not on the usual one: name a folder or page of it in
UV_FIND_LINKS. coolbound itself is read from this checkout.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = ("sb3", "omnisafe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock", action="store_true", help="only write NAME.lock anew")
    is_lock = parser.parse_args().lock
    for name in PEERS:
        (lock if is_lock else make)(name)


def lock(name: str) -> None:
    """Write exact versions and hashes of a peer and of coolbound's own needs."""
    extra = []
    for kind in ("overrides", "excludes"):
        given = HERE / f"{name}-{kind}.txt"
        if given.exists():
            extra += [f"--{kind}", str(given.relative_to(ROOT))]
    uv(
        *("pip", "compile", "pyproject.toml", f"benchmarks/peers/{name}.in"),
        *("--constraint", "requirements.lock", "--python-version", "3.11", *extra),
        *("--generate-hashes", "--no-annotate", "--no-emit-index-url"),
        *("--no-emit-find-links", "--quiet"),
        *("--custom-compile-command", "benchmarks/peers/environments.py --lock"),
        *("--output-file", f"benchmarks/peers/{name}.lock"),
    )


def make(name: str) -> None:
    folder = ROOT / ".peers" / name
    python = folder / "bin" / "python"
    folder.parent.mkdir(exist_ok=True)
    (folder.parent / ".gitignore").write_text("*\n")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    uv(
        *("pip", "install", "--python", str(python), "--no-deps", "--require-hashes"),
        *("--quiet", "-r", f"benchmarks/peers/{name}.lock"),
    )


def uv(*words: str) -> None:
    subprocess.run([str(ROOT / ".venv/bin/uv"), *words], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
