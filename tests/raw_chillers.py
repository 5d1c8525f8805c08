"""Chiller records as their files have them, and the formulas written out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coolbound_envs
from coolbound_envs.chiller_records import SHIPPED

EQUIPMENT = Path(coolbound_envs.__file__).parent / "data" / "equipment"


def raw(name: str) -> dict[str, Any]:
    """Return one record as its file has it."""
    for file in SHIPPED.values():
        data = json.loads((EQUIPMENT / file).read_text(encoding="utf-8"))
        if name in data:
            return data[name]
    raise KeyError(name)


def surface(c: list[float], x: Any, y: Any) -> Any:
    return c[0] + c[1] * x + c[2] * x**2 + c[3] * y + c[4] * y**2 + c[5] * x * y


def by_hand(r: dict[str, Any], x: float, y: float, load: float) -> tuple[float, ...]:
    """Return heat, power and lift of a record, in plain Python, nothing clamped."""
    c = r["EIRFunPLR"]
    if len(c) == 3:
        part = c[0] + c[1] * load + c[2] * load**2
    else:
        part = surface([*c[:3], *c[3:6]], y, load)
        part += c[6] * y**3 + c[7] * load**3 + c[8] * y**2 * load + c[9] * y * load**2
    rated = -r["QEva_flow_nominal"]
    available = rated * surface(r["capFunT"], x, y)
    heat = available * load
    power = available / r["COP_nominal"] * surface(r["EIRFunT"], x, y) * part
    rise = (heat + power) / (r["mCon_flow_nominal"] * 4186.0)
    return heat, power, (y + rise if len(c) == 3 else y) - x


def corners(r: dict[str, Any]) -> tuple[tuple[float, float], ...]:
    side = "TConEnt" if "TConEntMin" in r else "TConLvg"
    pairs = ("TEvaLvgMin", "TEvaLvgMax"), (f"{side}Min", f"{side}Max")
    return *((r[a] - 273.15, r[b] - 273.15) for a, b in pairs), (
        r["PLRMin"],
        r["PLRMax"],
    )


def cop_by_hand(
    e: Sequence[float], idle: float, load: float, lift: float, leaving: float
) -> float:
    """Return the COP of the plant's form: power on a line below a quarter load."""
    held = min(max(load, 0.25), 1.05)
    eta = e[0] + e[1] * held + e[2] * held**2 + e[3] * lift + e[4] * lift**2
    eta = min(max(eta + e[5] * held * lift, 0.2), 0.85)
    cop = eta * (leaving + 273.15 - 1.5) / (lift + 3.0)
    if load >= 0.25:
        return cop
    at_quarter, load = 0.25 / cop, max(load, 0.01)
    return load / (at_quarter * (idle + (1.0 - idle) * load / 0.25))
