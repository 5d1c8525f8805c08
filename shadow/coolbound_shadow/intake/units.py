"""Units of exports: spelled in many ways, converted by pint and by nothing else.

A reading becomes gain * raw + bias. A temperature *difference* has no bias: 9 degF
more is 5 K more, wherever the thermometer stands.
"""

import functools
import re

import pint

from coolbound_envs.tables import InputError, convert, unit_registry
from coolbound_shadow.intake.words import concepts, unit_of

DIFFERENCE = "temperature_difference"

QUANTITIES = {
    "temperature": "K",
    DIFFERENCE: "K",
    "power": "W",
    "energy": "J",
    "pressure": "Pa",
    "volume_flow": "m**3/s",
    "mass_flow": "kg/s",
    "frequency": "1/s",
    "rotation": "rpm",
    "current": "A",
    "voltage": "V",
    "time": "s",
    "share": "1",
}
"""The quantities that exports carry, each with a unit of its dimension."""

OFFSET_UNITS = {"degC": "delta_degC", "degF": "delta_degF", "K": "K"}

LEVER = 1000.0

NO_NUMBER = ("machines", "1")

BRACKET = re.compile(r"[\[(]([^\])]*)[\])]\s*$")

WARM = frozenset({"temperature", "wet_bulb", "dew_point", "setpoint"})
"""Words beside which a lone C or F is a unit."""

SHORT = frozenset("CFKAVWsh1-")
"""Letters that are a unit only where a bracket says so."""


def known_unit(text: str, where: str) -> str:
    """Return a unit as pint writes it.

    Raises:
        InputError: The text is no unit, or one that no instrument of a plant has.
    """
    unit = unit_of(text) or text
    if unit in NO_NUMBER or quantity_of(unit):
        return unit
    raise InputError(
        f"{where}: found unit {text!r}, expected one such as 'degF', 'kW', 'gpm', "
        "'psi' or 'percent'; correct the unit"
    )


@functools.cache
def quantity_of(unit: str) -> str:
    """Return which of `QUANTITIES` a unit measures; empty for none."""
    if unit in ("machines", "1", "percent"):
        return "share"
    registry = unit_registry()
    try:
        found = registry.Unit(unit)
    except (pint.PintError, AttributeError, TypeError, ValueError, AssertionError):
        return ""
    if str(found) in ("rpm", "revolutions_per_minute"):
        return "rotation"
    for quantity, example in QUANTITIES.items():
        if quantity == DIFFERENCE and "delta" not in unit:
            continue
        if quantity == "temperature" and "delta" in unit:
            continue
        if found.dimensionality == registry.Unit(example).dimensionality:
            return quantity
    return ""


def conversion(
    unit_in: str, unit: str, quantity: str, density: float, where: str
) -> tuple[float, float]:
    """Return gain and bias, so that gain * x + bias converts x to `unit`.

    Args:
        unit_in: Unit of the export, as pint writes it.
        unit: Unit that is wanted.
        quantity: One of `QUANTITIES`, or empty for what the unit says.
        density: Of the water, where a volume is asked for as mass. [kg/L]
        where: Place in the map, for messages.

    Raises:
        InputError: The units do not convert.
    """
    unit_in, unit = (each.replace("machines", "1") for each in (unit_in, unit))
    if unit_in == unit:
        return 1.0, 0.0
    if quantity == DIFFERENCE:
        pair = [OFFSET_UNITS.get(each, each) for each in (unit_in, unit)]
        return convert(1.0, pair[0], pair[1], where), 0.0
    if quantity_of(unit_in) == "volume_flow" and quantity_of(unit) == "mass_flow":
        volume = convert(1.0, unit_in, "L/s", where)
        return convert(volume * density, "kg/s", unit, where), 0.0
    bias = convert(0.0, unit_in, unit, where)
    # A long lever keeps the rounding of large offsets out of the factor.
    return (convert(LEVER, unit_in, unit, where) - bias) / LEVER, bias


def unit_in_name(header: str) -> tuple[str | None, str]:
    """Return the unit that a header names, and the header without it.

    A bracket at the end counts always, a part set off by a blank or a line only
    where it can be nothing but a unit.
    """
    bracket = BRACKET.search(header)
    if bracket and unit_of(bracket.group(1)):
        return unit_of(bracket.group(1)), header[: bracket.start()].strip()
    if unit_of(header.replace("_", "/")):
        return unit_of(header.replace("_", "/")), ""
    parts = re.split(r"[\s_]+", header.strip())
    if parts[-1] in ("C", "F") and concepts(" ".join(parts[:-1])) & WARM:
        return unit_of(parts[-1]), " ".join(parts[:-1])
    for place in (len(parts) - 1, 0):
        if parts[place] not in SHORT and unit_of(parts[place]):
            rest = parts[:place] + parts[place + 1 :]
            return unit_of(parts[place]), " ".join(rest)
    return None, header


def canonical_unit(unit: str) -> str:
    """Return the unit in which readings of a quantity are kept."""
    return {
        "temperature": "degC",
        DIFFERENCE: "delta_degC",
        "power": "kW",
        "energy": "kWh",
        "pressure": "kPa",
        "volume_flow": "L/s",
        "mass_flow": "kg/s",
        "frequency": "Hz",
        "rotation": "rpm",
        "share": "1",
    }.get(quantity_of(unit), unit)
