"""Who takes part: names, folders of policies, and seeds of one learner."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from coolbound.compose import Named, named_controller
from coolbound_controllers.policy import LearnedPolicy
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError

_GROUP: Final = re.compile(r"([A-Za-z0-9_. -]+)=(.+)")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One controller that takes part. Static.

    Attributes:
        named: The controller with the name that tables print.
        group: Name that it shares with other seeds; empty where it stands alone.
    """

    named: Named
    group: str = ""

    @property
    def policy(self) -> LearnedPolicy | None:
        """The learned policy, None for a rule."""
        controller = self.named.controller
        return controller if isinstance(controller, LearnedPolicy) else None


def entries(texts: Sequence[str], site: Site) -> list[Entry]:
    """Return who takes part, in the order given.

    Args:
        texts: Names, folders, or `NAME=FOLDER,FOLDER,...`, where a folder may hold
            `*` for several.
        site: Whose plant is run.

    Raises:
        InputError: A name or folder cannot be used, or stands there twice.
    """
    found: list[Entry] = []
    for text in texts:
        match = None if Path(text).is_dir() else _GROUP.fullmatch(text)
        if match is None:
            found.append(Entry(named_controller(text, site)))
        else:
            found += _seeds(match[1], match[2].split(","), site)
    _refuse_twice([entry.named.name for entry in found])
    return found


def _refuse_twice(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(
            f"--controllers: found {twice[0]!r} twice, expected each "
            "once; leave one out"
        )


def _seeds(label: str, folders: Sequence[str], site: Site) -> list[Entry]:
    """Return the seeds of one learner, named by their seeds."""
    where = f"--controllers {label}="
    policies: dict[int, tuple[str, Entry]] = {}
    algorithms: dict[str, str] = {}
    for folder in _expanded(folders, where):
        controller = named_controller(folder, site).controller
        if not isinstance(controller, LearnedPolicy):
            raise InputError(
                f"{where}: found {folder!r}, which is a rule, expected folders of "
                "policies; name it by itself"
            )
        manifest = controller.manifest
        seed = int(manifest["seed"])
        if seed in policies:
            raise InputError(
                f"{where}: found seed {seed} in {policies[seed][0]} and in {folder}, "
                "expected another seed in each; leave one out"
            )
        algorithms.setdefault(str(manifest["algorithm"]), folder)
        entry = Entry(Named(f"{label} seed {seed}", controller, True), label)
        policies[seed] = (folder, entry)
    _require_one(algorithms, where)
    return [entry for _, (_, entry) in sorted(policies.items())]


def _expanded(folders: Sequence[str], where: str) -> list[str]:
    """Return the folders with every pattern replaced by what it names."""
    found: list[str] = []
    for text in filter(None, (folder.strip() for folder in folders)):
        names = [text]
        if "*" in text:
            path = Path(text)
            anchor = Path(path.anchor) if path.anchor else Path()
            pattern = str(path.relative_to(anchor))
            names = sorted(str(x) for x in anchor.glob(pattern) if x.is_dir())
        if not names:
            raise InputError(
                f"{where}: found no folder like {text!r}, expected trained policies; "
                "correct the pattern"
            )
        found += names
    return found


def _require_one(algorithms: dict[str, str], where: str) -> None:
    if len(algorithms) > 1:
        (one, first), (other, second), *_ = algorithms.items()
        raise InputError(
            f"{where}: found {one} in {first} and {other} in {second}, expected seeds "
            "of one algorithm; give each algorithm a name of its own"
        )


def describe(found: Sequence[Entry], site: Site) -> dict[str, Any]:
    """Return what the manifests of the policies that take part say, by name."""
    return {
        entry.named.name: _description(entry.policy, entry.group, site)
        for entry in found
        if entry.policy is not None
    }


def _description(policy: LearnedPolicy, group: str, site: Site) -> dict[str, Any]:
    manifest = policy.manifest
    metrics = manifest["metrics"]
    return {
        "name": policy.name,
        "digest": policy.digest,
        "is_of_this_site": manifest["site_digest"] == site.digest,
        "group": group,
        "algorithm": manifest["algorithm"],
        "seed": manifest["seed"],
        "command": manifest["command"],
        "revision": manifest["revision"],
        "update": metrics.get("update"),
        "updates": metrics.get("updates"),
        "environment_steps": metrics.get("steps"),
    }
