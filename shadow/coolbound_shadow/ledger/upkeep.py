"""Records about the ledger and its surroundings: changes, clock notes, seals."""

import dataclasses
from typing import Any, final

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.records import Kind

CHANGES = (Kind.CONFIG, Kind.KEY, Kind.GATE, Kind.TRANSITION)
"""Kinds that say who changed what, from what, to what, and why."""


@final
@dataclasses.dataclass(frozen=True)
class Change:
    """Who changed what, from what, to what, and why. Static.

    Attributes:
        kind: One of `CHANGES`.
        actor: Who or what did it.
        event: What was changed.
        old: Before; None where there was nothing.
        new: After; None where there is nothing any more.
        reason: Why.
    """

    kind: Kind
    actor: str
    event: str
    old: Any
    new: Any
    reason: str

    def __post_init__(self) -> None:
        """Refuse a kind that is no change."""
        if self.kind not in CHANGES:
            raise InputError(
                f"change {self.event!r}: found kind {str(self.kind)!r}, expected one "
                f"of {', '.join(CHANGES)}; use the record made for that kind"
            )

    def content(self) -> dict[str, Any]:
        """Return the fields."""
        return {key: entry for key, entry in vars(self).items() if key != "kind"}


@final
@dataclasses.dataclass(frozen=True)
class ClockNote:
    """The computer's clock moved, or a source's clock disagrees. Static.

    Attributes:
        source: Whose clock.
        step_s: How far it moved; negative is backwards. [s]
        text: What was found.
    """

    source: str
    step_s: float
    text: str

    @property
    def kind(self) -> Kind:
        """A clock note."""
        return Kind.CLOCK

    def content(self) -> dict[str, Any]:
        """Return the fields."""
        return dict(vars(self))


@final
@dataclasses.dataclass(frozen=True)
class Seal:
    """A closed day stands in a Parquet file. Static.

    Attributes:
        day: UTC day on which its records were written, as 2026-11-20.
        file: Name of the file in the ledger's folder of seals.
        sha256: Digest of the file, hexadecimal.
        first_seq: First record in it. [1]
        last_seq: Last record in it. [1]
        rows: Records in it. [rows]
        last_hash: Hash of the last record, hexadecimal.
    """

    day: str
    file: str
    sha256: str
    first_seq: int
    last_seq: int
    rows: int
    last_hash: str

    @property
    def kind(self) -> Kind:
        """A seal."""
        return Kind.SEAL

    def content(self) -> dict[str, Any]:
        """Return the fields."""
        return dict(vars(self))
