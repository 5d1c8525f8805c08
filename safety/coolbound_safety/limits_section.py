"""The `[limits.*]` section of a site file with every number spelled out.

    python -m coolbound_safety.limits_section envs/coolbound_envs/sites/reference.toml

puts the reference values of the code's own tables at the end of that file, in place
of the section that begins with the same line; without a file it prints them.
"""

import sys
from pathlib import Path
from typing import Any, Final

from coolbound_envs import limit_numbers
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import LIMITS, LimitSpec
from coolbound_safety import margins
from coolbound_safety.limit_words import PLANT_FIELDS, NumberWords, numbers_of
from coolbound_safety.margins import Margins

HEAD: Final = """\
# The 21 limits: docs/limits.md says how each is kept. Every key may be left out, and
# has then the value that stands here. `on = false` switches a limit off, and every
# result says so. Priority 0 is never relaxed, 1 last, 2 first; those that are 0 here
# stay 0. Ranges and ramps without a number belong to the action channels.
"""

_WRITTEN: Final = {"s": ("min", 1 / 60.0)}
"""Units that people write, and the factor to them."""


def limits_section() -> str:
    """Return the section as TOML text, in the order of the limits."""
    return "\n".join([HEAD, *(_table(limit) for limit in LIMITS)])


def _table(limit: LimitSpec) -> str:
    lines = [
        f"[limits.{limit.name}]",
        "on = true",
        f"priority = {limit.priority}",
        *_numbers(LimitValues, limit_numbers.FIELDS, limit.name),
        *_numbers(Margins, margins.FIELDS, limit.name),
        f'source = "{limit.source}"',
    ]
    return "\n".join(lines) + "\n"


def _numbers(record: type, table: dict[str, tuple[Any, ...]], limit: str) -> list[str]:
    found = numbers_of(record, table, limit)
    return [_line(x, table[x.field]) for x in found if x.field not in PLANT_FIELDS]


def _line(number: NumberWords, row: tuple[Any, ...]) -> str:
    """Return one number with its unit, and what it is as a comment."""
    unit, factor = _WRITTEN.get(row[2], (row[2], 1.0))
    value = f"{row[-1] * factor:.12g}"
    text = f'{number.key} = "{value} {unit}"' if unit else f"{number.key} = {value}"
    return f"{text:<35}# {number.words}" if number.words else text


def put_section(path: Path) -> None:
    """Put the section at the end of a site file, in place of the one before."""
    before = path.read_text(encoding="utf-8").partition(HEAD.splitlines()[0])[0]
    path.write_text(f"{before.rstrip()}\n\n{limits_section()}", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        put_section(Path(sys.argv[1]))
    else:
        sys.stdout.write(limits_section())
