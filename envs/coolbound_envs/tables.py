"""Strict reading of TOML tables: every key known, every number with a unit.

A quantity is text such as "2317 kW" or "80 degF"; it is converted to the unit
that the code works in. What is wrong is said once, with the file, the key,
what was found and what was expected.
"""

import dataclasses
import difflib
import functools
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pint


class InputError(ValueError):
    """A mistake in what the user gave; its text says what to do."""


@functools.cache
def unit_registry() -> pint.UnitRegistry[Any]:
    """Return the one unit registry, with tons of refrigeration as `RT`."""
    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(
        autoconvert_offset_to_baseunit=True
    )
    registry.define("RT = 3516.8528420667 * watt")
    registry.define("gpm = gallon / minute")
    return registry


def convert(value: float, unit_from: str, unit_to: str, where: str) -> float:
    """Return the value in another unit.

    Raises:
        InputError: A unit is unknown, or the two do not convert.
    """
    registry = unit_registry()
    try:
        return float(registry.Quantity(value, unit_from).to(unit_to).magnitude)
    except (pint.PintError, AttributeError, TypeError) as error:
        raise InputError(
            f"{where}: found unit {unit_from!r}, expected one that converts to "
            f"{unit_to!r}; correct the unit"
        ) from error


@dataclasses.dataclass
class Table:
    """One TOML table that knows where it stands and which keys were read.

    Attributes:
        data: The parsed table.
        where: File and section, for messages.
        seen: Keys read so far.
    """

    data: Mapping[str, Any]
    where: str
    seen: set[str] = dataclasses.field(default_factory=set)

    def has(self, key: str) -> bool:
        """Return whether the key is present."""
        return key in self.data

    def _is_absent(self, key: str) -> bool:
        """Return whether an optional key is absent; it counts as known either way."""
        self.seen.add(key)
        return key not in self.data

    def _take(self, key: str, expected: str) -> Any:
        self.seen.add(key)
        if key not in self.data:
            raise InputError(
                f"{self.where}: key {key!r} is missing, expected {expected}; add it"
            )
        return self.data[key]

    def _refuse(self, key: str, found: object, expected: str) -> InputError:
        return InputError(
            f"{self.where}.{key}: found {found!r}, expected {expected}; correct it"
        )

    def quantity(
        self,
        key: str,
        unit: str,
        lower: float = -math.inf,
        upper: float = math.inf,
        default: float | None = None,
    ) -> float:
        """Return a quantity in `unit`, within [lower, upper]."""
        if default is not None and self._is_absent(key):
            return default
        expected = f"text with a unit such as '{_example(lower, upper)} {unit}'"
        found = self._take(key, expected)
        parts = found.split(maxsplit=1) if isinstance(found, str) else []
        if len(parts) != 2 or not _is_number(parts[0]):
            raise self._refuse(key, found, expected)
        value = convert(float(parts[0]), parts[1], unit, f"{self.where}.{key}")
        if not lower <= value <= upper:
            raise self._refuse(key, found, f"{lower:g} to {upper:g} {unit}")
        return value

    def number(
        self,
        key: str,
        lower: float = -math.inf,
        upper: float = math.inf,
        default: float | None = None,
    ) -> float:
        """Return a pure number (a share, a count, a coefficient)."""
        if default is not None and self._is_absent(key):
            return default
        expected = f"a number from {lower:g} to {upper:g}"
        found = self._take(key, expected)
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if not is_number or not lower <= found <= upper:
            raise self._refuse(key, found, expected)
        return float(found)

    def integer(self, key: str, lower: int, upper: int) -> int:
        """Return a whole number."""
        expected = f"a whole number from {lower} to {upper}"
        found = self._take(key, expected)
        is_integer = isinstance(found, int) and not isinstance(found, bool)
        if not is_integer or not lower <= found <= upper:
            raise self._refuse(key, found, expected)
        return found

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        if default is not None and self._is_absent(key):
            return default
        found = self._take(key, "true or false")
        if not isinstance(found, bool):
            raise self._refuse(key, found, "true or false")
        return found

    def text(
        self,
        key: str,
        choices: tuple[str, ...] = (),
        default: str | None = None,
    ) -> str:
        """Return text, one of the choices where there are any."""
        if default is not None and self._is_absent(key):
            return default
        expected = f"one of {', '.join(choices)}" if choices else "text"
        found = self._take(key, expected)
        if not isinstance(found, str) or (choices and found not in choices):
            raise self._refuse(key, found, expected)
        return found

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """Return a list of `count` pure numbers."""
        expected = f"a list of {count} numbers"
        found = self._take(key, expected)
        is_list = isinstance(found, list) and len(found) == count
        if not is_list or not all(isinstance(x, int | float) for x in found):
            raise self._refuse(key, found, expected)
        return tuple(float(x) for x in found)

    def texts(
        self, key: str, default: tuple[str, ...] | None = None
    ) -> tuple[str, ...]:
        """Return a list of texts."""
        if default is not None and self._is_absent(key):
            return default
        found = self._take(key, "a list of texts")
        if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
            raise self._refuse(key, found, "a list of texts")
        return tuple(found)

    def table(self, key: str) -> "Table":
        """Return a table inside this one."""
        found = self._take(key, "a table")
        if not isinstance(found, Mapping):
            raise self._refuse(key, found, "a table")
        return Table(found, f"{self.where}.{key}")

    def tables(self, key: str) -> list["Table"]:
        """Return an array of tables; empty where the key is absent."""
        self.seen.add(key)
        found = self.data.get(key, [])
        if not isinstance(found, list) or not all(
            isinstance(x, Mapping) for x in found
        ):
            raise self._refuse(key, found, "an array of tables, as [[...]]")
        return [Table(x, f"{self.where}.{key}[{i}]") for i, x in enumerate(found)]

    def finish(self) -> None:
        """Refuse every key that nothing has read.

        Raises:
            InputError: A key is unknown; the nearest known one is named.
        """
        for key in self.data:
            if key not in self.seen:
                near = difflib.get_close_matches(key, self.seen, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "remove it"
                raise InputError(
                    f"{self.where}: found unknown key {key!r}, expected one of "
                    f"{', '.join(sorted(self.seen))}; {hint}"
                )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _example(lower: float, upper: float) -> str:
    """Return a round number inside a range, for a message."""
    finite = [x for x in (lower, upper) if math.isfinite(x)]
    if not finite:
        return "1"
    middle = math.sqrt(lower * upper) if lower > 0.0 else sum(finite) / len(finite)
    shown = float(f"{middle:.1g}") if math.isfinite(middle) else finite[0]
    return f"{shown:g}"


def read_toml(path: Path) -> Table:
    """Return the root table of a TOML file.

    Raises:
        InputError: The file is absent, no text, or no TOML.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a TOML "
            "file; check the path"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path}: {error}, expected TOML; correct that line"
        ) from error
    return Table(data, str(path))
