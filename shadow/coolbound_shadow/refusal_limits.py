"""Below what no potential is told: a file with units and sources, never code.

The published file ships with the package. A user's file replaces some of its values,
each with its own source; what was changed is carried along, so that reports can say it.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final, final

import coolbound_shadow
from coolbound_envs.tables import InputError, Table, read_toml

PUBLISHED: Final = "refusal_limits.toml"

SCHEMA: Final = 1


@final
@dataclasses.dataclass(frozen=True)
class Scale:
    """In what a limit is kept, and between what it must lie. Static.

    Attributes:
        unit: Unit of the value that the code works with.
        lower: Least value. [the unit]
        upper: Largest value. [the unit]
    """

    unit: str
    lower: float
    upper: float


DAYS: Final = Scale("d", 1.0, 3660.0)
SHARE: Final = Scale("1", 0.0, 1.0)
PERCENT: Final = Scale("percent", 0.0, 1000.0)

SCALES: Final[Mapping[str, Scale]] = {
    "sample.whole_days": DAYS,
    "sample.independent_days": Scale("d", 2.0, 3660.0),
    "sample.blocks": Scale("count", 2.0, 1000.0),
    "coverage.whole_days_of_log": SHARE,
    "coverage.proposed": SHARE,
    "coverage.unfamiliar": SHARE,
    "coverage.stage_days": DAYS,
    "coverage.stage_bins": SHARE,
    "twin.null_test": SHARE,
    "twin.cv_rmse": PERCENT,
    "twin.nmbe": PERCENT,
    "twin.largest_least_claim": PERCENT,
    "twin.bad_bins": SHARE,
    "twin.temperature": Scale("K", 0.0, 20.0),
}
"""Every limit that the file holds, by section and key."""

WORDS: Final[Mapping[str, str]] = {
    "sample.whole_days": "whole days with both series, at least",
    "sample.independent_days": "independent days that they are worth, at least",
    "sample.blocks": "blocks of days, at least",
    "coverage.whole_days_of_log": "share of the log's days that are whole, at least",
    "coverage.proposed": "share of steps with a proposal, at least",
    "coverage.unfamiliar": "share of unfamiliar steps in the model, at most",
    "coverage.stage_days": "days of log before leaving the shadow stage, at least",
    "coverage.stage_bins": "share of the operating range seen before that, at least",
    "twin.null_test": "null test (N1) as a share of the potential, at most",
    "twin.cv_rmse": "hourly CV(RMSE) of a calibrated twin, at most",
    "twin.nmbe": "hourly NMBE of a calibrated twin, either sign, at most",
    "twin.largest_least_claim": "least potential that a twin can tell, at most",
    "twin.bad_bins": "share of held-out hours in cells beyond the NMBE, at most",
    "twin.temperature": "error of a limit's temperature in 95 % of hours, at most",
}


@final
@dataclasses.dataclass(frozen=True)
class Entry:
    """One limit as a report shows it. Static.

    Attributes:
        key: Section and key in the file.
        value: As the file writes it, with its unit.
        source: Where the value comes from.
        published: What the published file says instead; empty where it says the same.
    """

    key: str
    value: str
    source: str
    published: str = ""

    @property
    def words(self) -> str:
        """What it is, in words."""
        return WORDS[self.key]

    def sentence(self) -> str:
        """Return what a user changed, in words."""
        return (
            f"{self.words} {self.shown} in place of {self.was_shown} (because: "
            f"{self.source})"
        )

    @property
    def shown(self) -> str:
        """The value as people write it."""
        return _shown(self.value)

    @property
    def was_shown(self) -> str:
        """The published value as people write it."""
        return _shown(self.published)


def _shown(value: str) -> str:
    return value.replace(" percent", " %").removesuffix(" count")


@final
@dataclasses.dataclass(frozen=True)
class Floors:
    """Below these no number is given. Static.

    Attributes:
        days: Whole days. [d]
        effective_days: Independent days. [d]
        blocks: Blocks of days. [1]
    """

    days: float
    effective_days: float
    blocks: float


@final
@dataclasses.dataclass(frozen=True)
class RefusalLimits:
    """Below what no potential is told, and no claim of a twin supported. Static.

    Attributes:
        floors: Of the sample.
        whole_share: Share of the log's days that are whole, at least. [1]
        proposed_share: Share of steps with a proposal, at least. [1]
        unfamiliar_share: Share of unfamiliar steps, at most. [1]
        stage_days: Days of log before leaving the shadow stage, at least. [d]
        stage_bins: Share of the operating range seen before that, at least. [1]
        null_share: Null test as a share of the potential, at most. [1]
        cv_rmse: Of a calibrated twin, hourly, at most. [percent]
        nmbe: Of a calibrated twin, hourly, either sign, at most. [percent]
        largest_least_claim: Least potential that a twin can tell, at most. [percent]
        bad_bins: Share of held-out hours in cells beyond the NMBE, at most. [1]
        temperature: Error of a limit's temperature, at most. [K]
        entries: All of them as they are shown.
        sha256: Digest of all values with their sources, hexadecimal.
    """

    floors: Floors
    whole_share: float
    proposed_share: float
    unfamiliar_share: float
    stage_days: float
    stage_bins: float
    null_share: float
    cv_rmse: float
    nmbe: float
    largest_least_claim: float
    bad_bins: float
    temperature: float
    entries: tuple[Entry, ...]
    sha256: str

    @property
    def changed(self) -> tuple[Entry, ...]:
        """What differs from the published file."""
        return tuple(entry for entry in self.entries if entry.published)

    def values(self) -> dict[str, str]:
        """Return all values as text, by section and key."""
        return {entry.key: entry.value for entry in self.entries}

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know first; nothing where nothing was changed."""
        if not self.changed:
            return ()
        changes = "; ".join(entry.sentence() for entry in self.changed)
        return (
            "The limits of refusal are not the published ones. A user changed: "
            f"{changes}.",
        )

    def as_data(self) -> dict[str, Any]:
        """Return them ready for JSON."""
        return {
            "sha256": self.sha256,
            "values": self.values(),
            "sources": {entry.key: entry.source for entry in self.entries},
            "published": {entry.key: entry.published for entry in self.changed},
        }


@functools.cache
def published() -> RefusalLimits:
    """Return the limits that ship with the package."""
    return _limits(_published_entries())


def read_limits(path: Path | None) -> RefusalLimits:
    """Return the published limits with what a user's file changes.

    Args:
        path: The user's file; None for the published limits.

    Raises:
        InputError: The file has an unknown key, a wrong value, or no source for one.
    """
    if path is None:
        return published()
    changes = _entries(read_toml(path))
    if not changes:
        raise InputError(
            f"{path}: found no limit, expected at least one table such as "
            "[sample.whole_days] with `value` and `source`; add one, or leave the "
            "file out"
        )
    entries = _published_entries()
    return _limits({k: _merged(was, changes.get(k)) for k, was in entries.items()})


def _published_entries() -> dict[str, Entry]:
    file = resources.files(coolbound_shadow) / PUBLISHED
    return _entries(read_toml(Path(str(file))))


def _merged(was: Entry, new: Entry | None) -> Entry:
    if new is None or _number(new) == _number(was):
        return was
    return dataclasses.replace(new, published=was.value)


def _entries(root: Table) -> dict[str, Entry]:
    """Return the limits of a file by section and key."""
    root.integer("schema", SCHEMA, SCHEMA)
    found: dict[str, Entry] = {}
    for section in dict.fromkeys(key.partition(".")[0] for key in SCALES):
        if not root.has(section):
            root.seen.add(section)
            continue
        table = root.table(section)
        for name in (k.partition(".")[2] for k in SCALES if k.startswith(section)):
            table.seen.add(name)
            if table.has(name):
                entry = _entry(table.table(name), f"{section}.{name}")
                found[entry.key] = entry
        table.finish()
    root.finish()
    return found


def _entry(table: Table, key: str) -> Entry:
    scale = SCALES[key]
    table.quantity("value", scale.unit, scale.lower, scale.upper)
    source = table.text("source").strip()
    table.finish()
    if not source:
        raise InputError(
            f"{table.where}.source: found no words, expected why this value; write it"
        )
    return Entry(key, " ".join(table.text("value").split()), source)


def _number(entry: Entry) -> float:
    """Return a limit in the unit that the code works with."""
    scale = SCALES[entry.key]
    return Table({"value": entry.value}, entry.key).quantity("value", scale.unit)


def _limits(entries: Mapping[str, Entry]) -> RefusalLimits:
    number = {key: _number(entry) for key, entry in entries.items()}
    shown = tuple(entries[key] for key in SCALES)
    text = json.dumps([[e.key, e.value, e.source] for e in shown])
    return RefusalLimits(
        floors=Floors(
            days=number["sample.whole_days"],
            effective_days=number["sample.independent_days"],
            blocks=number["sample.blocks"],
        ),
        whole_share=number["coverage.whole_days_of_log"],
        proposed_share=number["coverage.proposed"],
        unfamiliar_share=number["coverage.unfamiliar"],
        stage_days=number["coverage.stage_days"],
        stage_bins=number["coverage.stage_bins"],
        null_share=number["twin.null_test"],
        cv_rmse=number["twin.cv_rmse"],
        nmbe=number["twin.nmbe"],
        largest_least_claim=number["twin.largest_least_claim"],
        bad_bins=number["twin.bad_bins"],
        temperature=number["twin.temperature"],
        entries=shown,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
