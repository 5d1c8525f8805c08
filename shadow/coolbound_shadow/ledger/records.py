"""What is put on record: one dataclass for each kind, nothing inferred.

A field that nobody filled in stays None and is written as null, so that a report
can show that it is missing.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, final

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.body import local_second_text, second_text

Numbers = Mapping[str, float | None]
"""Values by name, in the unit of each point, channel or limit; None for unknown."""


class Kind(StrEnum):
    """Everything that a ledger may hold."""

    TICK = "tick"
    OUTCOME = "outcome"
    REFUSAL = "refusal"
    OVERRIDE = "override"
    REVIEW = "review"
    GATE = "gate"
    TRANSITION = "transition"
    CONFIG = "config"
    KEY = "key"
    CLOCK = "clock"
    SEAL = "seal"
    REPORT = "report"


REVIEW_ACTIONS = ("comment", "accept", "sign_off")
"""What a person may add on the review page."""


class Record(Protocol):
    """What may be appended."""

    @property
    def kind(self) -> Kind:
        """Which of the kinds it is."""
        ...

    def content(self) -> dict[str, Any]:
        """Return the fields as they are written, without the envelope."""
        ...


@final
@dataclasses.dataclass(frozen=True)
class Tick:
    """One decision: what was seen, done, asked, allowed, and why. Static.

    No run may hold two ticks of one time.

    Attributes:
        run: Name of the run, one for each policy that is heard.
        time_utc: End of the control step, UTC epoch. [s]
        offset: Local time minus UTC. [s]
        observed: Readings by point.
        quality: Worst quality code by point, good ones may be left out.
        applied: The operator's action by channel.
        proposed: The policy's action by channel; empty where it failed.
        certified: The safety layer's action by channel.
        status: `FilterStatus` by name.
        rung: Step of the fallback ladder, empty for none.
        reason: Why a fallback was taken, a crash or time-out included.
        active: Margin of each active limit.
        policy_digest: Digest of the policy that proposed.
        predicted: What the model expects next, by name.
        latency_s: How long the decision took. [s]
        extra: Statistics of all candidates, raw values, whatever else was known.
    """

    run: str
    time_utc: int
    offset: int
    observed: Numbers
    quality: Mapping[str, int]
    applied: Numbers
    proposed: Numbers
    certified: Numbers
    status: str
    rung: str
    reason: str
    active: Numbers
    policy_digest: str
    predicted: Numbers = dataclasses.field(default_factory=dict)
    latency_s: float | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """A tick."""
        return Kind.TICK

    def content(self) -> dict[str, Any]:
        """Return the fields, the time in UTC and on the site's clock."""
        return _timed(self)


@final
@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was measured after a tick. Static.

    Attributes:
        run: Name of the run.
        time_utc: The tick's time, UTC epoch. [s]
        offset: Local time minus UTC. [s]
        measured: Values by name.
    """

    run: str
    time_utc: int
    offset: int
    measured: Numbers

    @property
    def kind(self) -> Kind:
        """An outcome."""
        return Kind.OUTCOME

    def content(self) -> dict[str, Any]:
        """Return the fields, the time in UTC and on the site's clock."""
        return _timed(self)


@final
@dataclasses.dataclass(frozen=True)
class Refusal:
    """Something that was asked for and not given. Static.

    Attributes:
        actor: Who or what refused.
        subject: What was asked for: a policy, a figure, an export.
        reason: Why not, one sentence.
    """

    actor: str
    subject: str
    reason: str

    @property
    def kind(self) -> Kind:
        """A refusal."""
        return Kind.REFUSAL

    def content(self) -> dict[str, Any]:
        """Return the fields."""
        return dict(vars(self))


@final
@dataclasses.dataclass(frozen=True)
class Override:
    """A person or the BAS took a point away, changed its hold, or gave it back. Static.

    Attributes:
        event: Key of the event that its records share.
        state: `started`, `changed` or `ended`.
        point: The point or channel that is held.
        time_utc: When that happened, UTC epoch. [s]
        offset: Local time minus UTC. [s]
        value: What it is held at. [each point's own unit]
        before: What it stood at before. [each point's own unit]
        wanted: What the policy wanted there. [each point's own unit]
        priority: Slot or level that holds it.
        person: Who did it.
        reason_code: The site's code for why.
        text: Why, in words.
        expiry_utc: When it ends by itself, UTC epoch. [s]
        limits: Margins of the limits that were active.
    """

    event: str
    state: str
    point: str
    time_utc: int
    offset: int
    value: float | None
    before: float | None = None
    wanted: float | None = None
    priority: str | None = None
    person: str | None = None
    reason_code: str | None = None
    text: str | None = None
    expiry_utc: int | None = None
    limits: Numbers = dataclasses.field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """An override."""
        return Kind.OVERRIDE

    def content(self) -> dict[str, Any]:
        """Return the fields, times in UTC and on the site's clock."""
        found = _timed(self)
        expiry = found.pop("expiry_utc")
        return found | {"expiry": None if expiry is None else second_text(expiry)}


@final
@dataclasses.dataclass(frozen=True)
class Review:
    """What a person said about an event or a shift. Static.

    Attributes:
        user: Name under which the person logged in.
        action: One of `REVIEW_ACTIONS`.
        subject: Key of the event, or the shift that is signed off.
        records: Sequence numbers of the records that it is about.
        text: The comment; empty for none.
    """

    user: str
    action: str
    subject: str
    records: Sequence[int]
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse an action that no page offers, and a review by nobody."""
        if self.action not in REVIEW_ACTIONS or not self.user:
            raise InputError(
                f"review of {self.subject!r}: found action {self.action!r} by "
                f"{self.user!r}, expected one of {', '.join(REVIEW_ACTIONS)} by a "
                "named user; log in and choose one"
            )

    @property
    def kind(self) -> Kind:
        """A review."""
        return Kind.REVIEW

    def content(self) -> dict[str, Any]:
        """Return the fields."""
        return vars(self) | {"records": list(self.records)}


@final
@dataclasses.dataclass(frozen=True)
class Report:
    """A report was made from these records. Static.

    Attributes:
        actor: Who asked for it.
        file: Name of the file, without its folder.
        sha256: Digest of the file, hexadecimal.
        first_seq: First record that it used. [1]
        last_seq: Last record that it used. [1]
        head: Hash of the last record, as printed in it, hexadecimal.
    """

    actor: str
    file: str
    sha256: str
    first_seq: int
    last_seq: int
    head: str

    @property
    def kind(self) -> Kind:
        """A report."""
        return Kind.REPORT

    def content(self) -> dict[str, Any]:
        """Return the fields."""
        return dict(vars(self))


def _timed(record: Tick | Outcome | Override) -> dict[str, Any]:
    """Return the fields, the time as two texts and not as numbers."""
    found = dict(vars(record))
    time_utc, offset = int(found.pop("time_utc")), int(found.pop("offset"))
    return found | {
        "time": second_text(time_utc),
        "local": local_second_text(time_utc, offset),
    }
