"""What plants call things: words, units, states and months, in several languages.

The words are data, in `vocabulary.toml`; this module only looks them up.
"""

import dataclasses
import functools
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from importlib import resources

LONG_WORD = 5
"""Words of so many letters are found inside compounds. [1]"""

CAPITAL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
EDGE = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


@dataclasses.dataclass(frozen=True)
class Target:
    """A point or channel of coolbound, and the words that speak of it. Static.

    Attributes:
        name: Name in the spec, with `_hall` and `_zone` where it has several.
        needs: Concepts that a name must have.
        bars: Concepts that a name must not have.
        typical: Where most readings lie, in the spec's unit; None where any may.
    """

    name: str
    needs: frozenset[str]
    bars: frozenset[str]
    typical: tuple[float, float] | None = None


@functools.cache
def vocabulary() -> Mapping[str, Mapping]:
    """Return the words as the file has them."""
    file = resources.files("coolbound_shadow.intake") / "vocabulary.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """Return text in lower case without accents, its parts set apart by blanks."""
    text = text.replace("ß", "ss").replace("ø", "o").replace("æ", "ae")
    text = CAPITAL.sub(" ", unicodedata.normalize("NFKC", text))
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"[\W_]+", " ", EDGE.sub(" ", text))
    return unicodedata.normalize("NFC", text).lower().strip()


def is_cjk(text: str) -> bool:
    """Return whether the text holds Chinese, Japanese or Korean signs."""
    return any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in text)


def _says(name: str, word: str) -> bool:
    inside = is_cjk(word) or (len(word) >= LONG_WORD and " " not in word)
    return word in name if inside else f" {word} " in f" {name} "


def concepts(text: str) -> frozenset[str]:
    """Return what a name speaks of, such as {"chilled_water", "supply"}."""
    words, name = vocabulary(), plain(text)
    found = {
        concept
        for concept, spellings in words["concept"].items()
        if any(_says(name, plain(word)) for word in spellings)
    }
    for table in ("abbreviation", "doubtful"):
        for token in name.split():
            found |= set(words[table].get(token, ()))
    return frozenset(_directed(found))


def _directed(found: set[str]) -> set[str]:
    """Return the concepts with leaving and entering told as supply and return.

    Water leaves an evaporator as supply and a condenser as return; it leaves a
    tower as supply.
    """
    if not found & {"leaving", "entering"} or found & {"rack_inlet"}:
        return found
    is_cold_side = "chilled_water" in found or "tower" in found
    if not (is_cold_side or "condenser_water" in found):
        return found
    supply, back = ("leaving", "entering") if is_cold_side else ("entering", "leaving")
    found = set(found)
    if "tower" in found and "chilled_water" not in found:
        found.add("condenser_water")
    if supply in found:
        found.add("supply")
    if back in found:
        found.add("return")
    return found - {"leaving", "entering"}


def doubtful_words(text: str) -> list[str]:
    """Return the abbreviations in a name that plants use for two things."""
    return [w for w in plain(text).split() if w in vocabulary()["doubtful"]]


@functools.cache
def targets() -> tuple[Target, ...]:
    """Return what names can speak of, the more particular first."""
    return tuple(
        Target(
            t["name"],
            frozenset(t["needs"]),
            frozenset(t.get("not", ())),
            tuple(t["typical"]) if "typical" in t else None,
        )
        for t in vocabulary()["target"]
    )


def place_of(text: str, kind: str) -> int:
    """Return the number that follows a hall or zone word; 0 for none."""
    name = plain(text)
    for word in vocabulary()["place"][kind]:
        found = re.search(rf"(?:^|\s){re.escape(word)}\s?(\d+)", name)
        if found:
            return int(found.group(1))
    return 0


@functools.cache
def _unit_spellings() -> Mapping[str, str]:
    return {
        spelling: unit
        for unit, spellings in vocabulary()["unit"].items()
        for spelling in (*spellings, unit.lower())
    }


def unit_of(text: str) -> str | None:
    """Return the unit that a text spells, as pint writes it; None for no unit."""
    text = unicodedata.normalize("NFC", text).strip().strip("[]()").strip()
    exact = {"MW": "MW", "mW": "mW", "MPa": "MPa", "mPa": "mPa"}
    if text in vocabulary()["unit"] or text in exact:
        return exact.get(text, text)
    return _unit_spellings().get(text.lower()) if text else None


def state_of(text: str) -> float | None:
    """Return 1.0 or 0.0 for a text that says on or off; None for another."""
    word = plain(text) or text.strip()
    states = vocabulary()["state"]
    if word in states["on"]:
        return 1.0
    return 0.0 if word in states["off"] else None


@functools.cache
def _months() -> Mapping[str, int]:
    table: Mapping[str, Sequence[str]] = vocabulary()["month"]
    return {name: int(number) for number, names in table.items() for name in names}


def month_of(text: str) -> int:
    """Return the month that a word names, from 1; 0 for none [1]."""
    word = plain(text).rstrip(".")
    months = _months()
    return months.get(word) or months.get(word[:4]) or months.get(word[:3], 0)
