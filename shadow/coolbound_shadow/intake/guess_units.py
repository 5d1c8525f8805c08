"""The unit of an unknown column: what says it, or the only one its numbers allow."""

import dataclasses

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.file_types import ColumnRef
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.map_points import SPEC_UNITS
from coolbound_shadow.intake.profiles import Profile
from coolbound_shadow.intake.units import conversion, quantity_of
from coolbound_shadow.intake.words import Target, targets, unit_of

NOWHERE = ColumnRef()
"""The column of what has none: a name of a tall file, a file of one point."""


ALTERNATIVES = {
    "degC": ("degC", "degF", "K"),
    "kPa": ("kPa", "psi", "bar", "Pa", "ftH2O"),
    "1": ("1", "percent"),
}
"""Units that are tried where none is named."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column before anything is guessed about it. Static.

    Attributes:
        name: Header or tag.
        unit: Text of a row of units; empty for none.
        file: Place of the kind of file. [1]
        suffix: Text behind every number; empty for none.
        profile: What its readings look like.
        suspects: What looks wrong with it.
        place: Its column, in a wide or interleaved file.
        time: Its own time column; None for the file's.
        status: Its own status column; None for none.
    """

    name: str
    unit: str
    file: int
    suffix: str
    profile: Profile
    suspects: tuple[Finding, ...]
    place: ColumnRef = NOWHERE
    time: ColumnRef | None = None
    status: ColumnRef | None = None


def said_unit(column: Column, named: str | None) -> Guess[str]:
    """Return the unit that the row of units, the cells or the name say."""
    if column.unit and unit_of(column.unit):
        return Guess(unit_of(column.unit) or "", f"row of units says {column.unit!r}")
    if column.suffix and unit_of(column.suffix):
        return Guess(unit_of(column.suffix) or "", f"cells end in {column.suffix!r}")
    if named:
        return Guess(named, f"name says {named!r}")
    return Guess("", "")


def unit_guess(column: Column, said: Guess[str], target: Target | None) -> Guess[str]:
    """Return the unit of a column, from what says it or from its numbers."""
    if said.value:
        return said
    is_text = bool(column.profile.tokens) and not column.profile.low > 0
    if column.profile.is_binary or is_text:
        unit = "machines" if target and "chiller" in target.needs else "1"
        return Guess(
            unit, "numbers are 0 and 1 only" if column.profile.is_binary else ""
        )
    if target is None:
        return Guess("", "", "")
    return _by_range(column, target)


def _by_range(column: Column, target: Target) -> Guess[str]:
    """Return the only unit in which the numbers lie where the target's do."""
    wanted = _spec_unit(target)
    numbers = f"{column.profile.low:.4g} to {column.profile.high:.4g}"
    if target.typical is None or not np.isfinite(column.profile.low):
        doubt = f"unit of {column.name!r} ({numbers})? {wanted!r} would be wanted"
        return Guess("", "", doubt)
    fits = [u for u in ALTERNATIVES.get(wanted, (wanted,)) if _lies(column, u, target)]
    if len(fits) == 1:
        evidence = f"{numbers} can only be {fits[0]!r} there"
        return Guess(fits[0], evidence, f"unit of {column.name!r}: {evidence}")
    options = " or ".join(repr(f) for f in fits) or "none of the usual ones"
    doubt = f"unit of {column.name!r}: {numbers} could be {options}"
    return Guess(fits[0] if fits else "", "", doubt)


def _spec_unit(target: Target) -> str:
    name = target.name
    for ending in ("_hall_zone", "_hall"):
        if name.endswith(ending):
            base = name.removesuffix(ending)
            return next(
                u for n, u in SPEC_UNITS.items() if n.startswith(f"{base}_hall")
            )
    return SPEC_UNITS[name]


def _lies(column: Column, unit: str, target: Target) -> bool:
    if target.typical is None:
        return True
    gain, bias = conversion(unit, _spec_unit(target), "", 1.0, column.name)
    low, high = target.typical
    # An off value or a code may stand at one end: the middle decides.
    return low <= gain * column.profile.median + bias <= high


def range_doubt(feeds: str, unit: str, seen: Profile, kind: str) -> str:
    """Return what to ask where the numbers are unusual for a point; empty if not."""
    target = next(
        (t for t in targets() if feeds and feeds.startswith(t.name.split("_hall")[0])),
        None,
    )
    if target is None or target.typical is None or not unit or kind == "counter":
        return ""
    try:
        gain, bias = conversion(unit, SPEC_UNITS[feeds], "", 1.0, feeds)
    except InputError:
        return ""
    middle = gain * seen.median + bias
    low, high = target.typical
    if low <= middle <= high:
        return ""
    return (
        f"median {middle:.4g} {SPEC_UNITS[feeds]} is unusual for {feeds!r} "
        f"({low:g} to {high:g}): is {unit!r} right?"
    )


def does_convert(unit: str, feeds: str, kind: str) -> bool:
    """Return whether a unit becomes that of a point of coolbound."""
    if kind == "counter" and quantity_of(unit) == "energy":
        return quantity_of(SPEC_UNITS[feeds]) == "power"
    try:
        conversion(unit, SPEC_UNITS[feeds], "", 1.0, feeds)
    except InputError:
        # Of a speed in Hz or rpm somebody must say what full speed is.
        return False
    return True


def unit_doubt(unit: str, feeds: str) -> str:
    """Return what to ask where a unit does not become the point's."""
    if quantity_of(unit) in ("frequency", "rotation"):
        return (
            f"what is full speed of {feeds!r} in {unit}? Then set unit_in = '1', "
            "transform = { scale = 1 over it } and feeds"
        )
    return f"{unit!r} does not become {feeds!r}: is its unit right?"
