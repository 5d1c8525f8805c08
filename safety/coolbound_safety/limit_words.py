"""Names, keys and words of a limit's numbers, from the records' own docstrings."""

import dataclasses
import inspect
import re
from typing import Any, Final

_ENTRY: Final = re.compile(r"^    (\w+): ((?:.|\n {8})*) \[(.+)\]$", re.M)
_LIMIT_WORD: Final = re.compile(r"^[A-Z0-9_]{5,}[,:.]?\s*")

PLANT_FIELDS: Final = {"feeder_power": ("CAPACITY_N1_POWER", "plant.feeder_power")}
"""Numbers of limits that stand elsewhere in the site file."""


@dataclasses.dataclass(frozen=True)
class NumberWords:
    """One number of a limit, as people read it. Static.

    Attributes:
        field: Field of the record.
        key: Key in the site file.
        words: What it is; empty where the limit's title says it.
        unit: Unit of the field.
    """

    field: str
    key: str
    words: str
    unit: str


def numbers_of(
    record: type, table: dict[str, tuple[Any, ...]], name: str
) -> list[NumberWords]:
    """Return the numbers of one limit, in the record's order.

    Args:
        record: `LimitValues` or `Margins`; its docstring has words and units.
        table: By field the limit and the key, as the site file is read.
        name: The limit.
    """
    found = []
    for field, text, unit in _ENTRY.findall(inspect.getdoc(record) or ""):
        limit, key = table.get(field, PLANT_FIELDS.get(field, ("", "")))[:2]
        if limit == name:
            words = " ".join(_LIMIT_WORD.sub("", text).split())
            words = (words[:1].lower() + words[1:]).strip(" ,:.")
            found.append(NumberWords(field, key, words, unit))
    return found
