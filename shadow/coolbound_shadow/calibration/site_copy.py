"""A copy of a site file with other equipment values, every other byte as it was.

Only lines that hold a changed value are written anew; comments, point map and limits
stay. The copy is read back and must be the site with these values and nothing else.
"""

import re
import tomllib
from typing import Any

import numpy as np

from coolbound_envs.params import PlantParams
from coolbound_envs.tables import InputError

UNITS = {
    ("condenser", "design_flow"): ("kg/s", 1.0),
    ("condenser", "pump_efficiency"): ("", 1.0),
    ("condenser", "static_pressure"): ("kPa", 1e3),
    ("condenser", "friction_pressure"): ("kPa", 1e3),
    ("condenser", "fan_power"): ("kW", 1e3),
    ("condenser", "conductance"): ("kW/K", 1e3),
    ("chw", "pump_efficiency"): ("", 1.0),
    ("chw", "pipe_pressure"): ("kPa", 1e3),
    ("chiller", "efficiency"): ("", 1.0),
    ("chiller", "idle_power"): ("", 1.0),
    ("crah", "fan_power"): ("kW", 1e3),
    ("crah", "fan_exponent"): ("", 1.0),
    ("crah", "water_flow"): ("kg/s", 1.0),
    ("crah", "air_flow"): ("kg/s", 1.0),
    ("crah", "conductance"): ("kW/K", 1e3),
}
"""Keys that a calibration may change: unit in the file, and SI units in it."""

ROUNDING = 1e-6
"""Relative differences up to this are those of single precision. [1]"""

SECTION = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")


def changed_values(before: PlantParams, after: PlantParams) -> dict[str, str]:
    """Return `section.key` and its new TOML value where two plants differ."""
    found = {}
    for (section, key), (unit, size) in UNITS.items():
        old, new = (
            np.asarray(getattr(getattr(plant, section), key), np.float64)
            for plant in (before, after)
        )
        if not np.allclose(old, new, rtol=ROUNDING, atol=0.0):
            found[f"{section}.{key}"] = _toml(new / size, unit)
    return found


def _toml(value: np.ndarray, unit: str) -> str:
    # Eight digits carry single precision, in which plants are read.
    if value.ndim:
        return "[" + ", ".join(_number(each) for each in value) + "]"
    return f'"{_number(value)} {unit}"' if unit else _number(value)


def _number(value: Any) -> str:
    text = f"{float(value):.8g}"
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def copy_site(text: str, values: dict[str, str], where: str, head: str) -> str:
    """Return a site file's text with other equipment values.

    Args:
        text: The site file.
        values: TOML values by `section.key` of `[equipment]`.
        where: The site file's path, for messages.
        head: Comment lines to begin with.

    Raises:
        InputError: A value does not stand on a line of its own in its section.
    """
    lines, left = text.splitlines(keepends=True), dict(values)
    section, at, written = "", 0, [head]
    while at < len(lines):
        line = lines[at]
        header = SECTION.match(line)
        if header:
            section = re.sub(r"\s*\.\s*", ".", header.group(1))
        name = _key_of(line, section)
        if name in left:
            at = _end_of_value(lines, at)
            written.append(f"{name.rpartition('.')[2]} = {left.pop(name)}\n")
        else:
            written.append(line)
        at += 1
    copy = "".join(written)
    _require_same(text, copy, values, left, where)
    return copy


def _key_of(line: str, section: str) -> str:
    """Return `section.key` that a line sets, empty outside `[equipment.*]`."""
    found = re.match(r"^\s*([A-Za-z_]+)\s*=", line)
    if found is None or not section.startswith("equipment."):
        return ""
    return f"{section.removeprefix('equipment.')}.{found.group(1)}"


def _end_of_value(lines: list[str], first: int) -> int:
    """Return the last line of a value that may be an array over several lines."""
    at, open_brackets = first, 0
    while True:
        code = lines[at].split("#")[0]
        open_brackets += code.count("[") - code.count("]")
        if open_brackets <= 0 or at + 1 == len(lines):
            return at
        at += 1


def _require_same(
    text: str, copy: str, values: dict[str, str], left: dict[str, str], where: str
) -> None:
    wanted: dict[str, Any] = tomllib.loads(text)
    for name, value in values.items():
        section, key = name.split(".")
        wanted["equipment"][section][key] = tomllib.loads(f"x = {value}")["x"]
    try:
        is_same = not left and tomllib.loads(copy) == wanted
    except tomllib.TOMLDecodeError:
        is_same = False
    if not is_same:
        name = next(iter(left or values))
        section, key = name.split(".")
        raise InputError(
            f"{where}: found no line `{key} = ...` below [equipment.{section}] that "
            "could be changed, expected each value on a line of its own; write the "
            "section so"
        )
