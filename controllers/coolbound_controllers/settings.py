"""Settings of an algorithm: their ranges, and changes to them as text or in a file.

Every algorithm has a frozen dataclass of its own, whose fields are numbers or
tuples of numbers and whose defaults train.
"""

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from coolbound_envs.tables import InputError

SettingsT = TypeVar("SettingsT")


def refuse_outside(settings: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse settings of which a number lies outside its range, NaN included.

    Args:
        settings: One algorithm's settings.
        ranges: Lowest and highest value of each setting.

    Raises:
        InputError: A number lies outside its range, or a tuple is empty.
    """
    for name, (lower, upper) in ranges.items():
        found = getattr(settings, name)
        numbers = found if isinstance(found, tuple) else (found,)
        if not numbers or not all(lower <= number <= upper for number in numbers):
            raise InputError(
                f"hyper-parameter {name}: found {found!r}, expected "
                f"{lower:g} to {upper:g}; correct it"
            )


def refuse_uneven_minibatches(name: str, samples: int, minibatches: int) -> None:
    """Refuse minibatches that do not divide the samples of a rollout.

    Raises:
        InputError: They do not.
    """
    if samples % minibatches:
        raise InputError(
            f"hyper-parameter {name}: found {minibatches}, expected a "
            f"divisor of envs x steps = {samples}; change one"
        )


def override(texts: Sequence[str], base: SettingsT) -> SettingsT:
    """Return settings with `name=value` texts applied; lists as `64,64`.

    Raises:
        InputError: A text is no pair, a name unknown, or a value out of range.
    """
    changes = dict(_parse_pair(text, base) for text in texts)
    return dataclasses.replace(base, **changes)  # pyright: ignore[reportArgumentType, reportCallIssue, reportType]


def settings_texts(path: Path, base: Any) -> list[str]:
    """Return the settings of a TOML file as `name=value` texts, for `override`.

    Args:
        path: Names of settings at its top level, each a number or a list of numbers.
        base: One algorithm's settings.

    Raises:
        InputError: The file cannot be read, or a name or a value is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}: {error}), expected a "
            "TOML file of hyper-parameters; correct it"
        ) from error
    texts = [f"{name}={_text(value, path, name)}" for name, value in table.items()]
    for text in texts:
        try:
            _parse_pair(text, base)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return texts


def _text(value: Any, path: Path, name: str) -> str:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(number) in (int, float) for number in numbers):
        raise InputError(
            f"{path}: hyper-parameter {name}: found {value!r}, expected a number or a "
            "list of numbers; correct it"
        )
    return ",".join(map(str, numbers))


def _parse_pair(text: str, base: Any) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    known = [field.name for field in dataclasses.fields(base)]
    if not equals:
        raise InputError(
            f"hyper-parameter {text!r}: found no '=', expected name=value; add a value"
        )
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise InputError(
            f"hyper-parameter {name!r} is unknown, expected one of "
            f"{', '.join(known)}; did you mean {near[0]!r}?"
        )
    return name, _parse_value(name, value, getattr(base, name))


def _parse_value(name: str, value: str, like: Any) -> Any:
    kind = type(like[0]) if isinstance(like, tuple) else type(like)
    parts = value.split(",") if isinstance(like, tuple) else [value]
    try:
        numbers = tuple(_number(part, kind) for part in parts)
    except ValueError as error:
        raise InputError(
            f"hyper-parameter {name}: found {value!r}, expected "
            f"{'whole numbers' if kind is int else 'numbers'}, for example "
            f"{_example(like)}; correct it"
        ) from error
    return numbers if isinstance(like, tuple) else numbers[0]


def _number(text: str, kind: type) -> float | int:
    number = float(text)
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError(text)
    return kind(number)


def _example(like: Any) -> str:
    return ",".join(map(str, like)) if isinstance(like, tuple) else str(like)


def per_constraint(
    gains: tuple[float, ...], count: int, name: str
) -> tuple[float, ...]:
    """Return one gain for each of `count` constraints.

    Raises:
        InputError: There is neither one gain nor one per constraint.
    """
    if len(gains) == 1:
        return gains * count
    if len(gains) != count:
        raise InputError(
            f"hyper-parameter {name}: found {len(gains)} gains, expected 1 or "
            f"{count}, one per constraint; correct the list"
        )
    return gains
