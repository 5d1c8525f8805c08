"""The folder of a proposed map: never written over what a person has edited."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound_envs.tables import InputError
from coolbound_shadow.output import check_target, output_folder, write_json

MAP, DATA = "map.toml", "inspection.json"


def check_proposal(out: Path) -> None:
    """Refuse a folder that is no proposal, or whose map was edited.

    Raises:
        InputError: Writing there would lose something.
    """
    check_target(out, DATA)
    if not (out / DATA).is_file():
        return
    known = json.loads((out / DATA).read_text(encoding="utf-8")).get("map_sha256")
    if (out / MAP).is_file() and _digest((out / MAP).read_text("utf-8")) != known:
        raise InputError(
            f"{out / MAP}: found a map that was edited since it was proposed, expected "
            "none that would be lost; choose another --out, or move it away"
        )


def write_proposal(out: Path, text: str, data: Mapping[str, Any]) -> None:
    """Write `map.toml` and `inspection.json`, both or none."""
    with output_folder(out, DATA) as folder:
        (folder / MAP).write_text(text, encoding="utf-8")
        write_json({**data, "map_sha256": _digest(text)}, folder / DATA)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
