"""Whether a refitted chiller record may be used, and what to know before."""

import dataclasses
from collections.abc import Iterator

from coolbound_envs.chiller_fit import ChillerFit, fit_chiller
from coolbound_envs.chiller_records import ChillerRecord
from coolbound_envs.chiller_samples import AVAILABLE, LIFT_FLOOR, LOAD_FLOOR
from coolbound_envs.eir import rating_factors
from coolbound_envs.tables import InputError

GOOD, FLAGGED, REFUSED = "good", "flagged", "refused"

RATING_ERROR_MAX = 0.10
"""A record farther off at its own rating contradicts itself. [1]"""

ERROR_GOOD, ERROR_MAX = 3.0, 5.0
"""RMS errors up to which a fit is good, and usable at all. [%]"""

WORST_ERROR_GOOD = 10.0
"""A fit with a point farther off is flagged. [%]"""

LIFT_RESPONSE_MIN = 0.0125
"""The COP of a machine that reacts to temperature falls at least so much per kelvin
of lift: half the median of the shipped EIR records, 0.025. [1/K]"""

LIFT_SPAN_MIN = 12.0
"""A fit to data over fewer kelvins of lift is flagged. [K]"""

CLIPPED_MAX = 0.10
"""A surface that is clipped over more of the operating range is flagged. [1]"""


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a record is refused or flagged. Static.

    Attributes:
        kind: The same for all records that share the reason.
        text: The reason with this record's figures.
    """

    kind: str
    text: str


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A record, its fit where there is one, and the verdict. Static.

    Attributes:
        record: What was to be fitted.
        fit: Coefficients and errors; None where no fit was possible.
        refusals: Why the record must not be used; empty if it may.
        remarks: What to know before it is used.
    """

    record: ChillerRecord
    fit: ChillerFit | None
    refusals: tuple[Reason, ...]
    remarks: tuple[Reason, ...]

    @property
    def verdict(self) -> str:
        """`REFUSED`, `FLAGGED` or `GOOD`."""
        if self.refusals:
            return REFUSED
        return FLAGGED if self.remarks else GOOD


def judge(
    record: ChillerRecord, part_load: str = AVAILABLE, lift_floor: float = LIFT_FLOOR
) -> Judgement:
    """Return a record refitted and judged; arguments as `fit_chiller`.

    A record that cannot be fitted is refused with the reason.
    """
    try:
        fit = fit_chiller(record, part_load, lift_floor)
    except InputError as error:
        kind = "cannot be fitted" if record.is_water_cooled else "air-cooled"
        return Judgement(record, None, (Reason(kind, str(error)),), ())
    return Judgement(record, fit, tuple(_refusals(fit)), tuple(_remarks(fit)))


def _refusals(fit: ChillerFit) -> Iterator[Reason]:
    """Yield what makes a fit worthless, or the record behind it."""
    off = max(abs(factor - 1.0) for factor in rating_factors(fit.record))
    if off > RATING_ERROR_MAX:
        yield Reason(
            f"off its own rating by more than {100.0 * RATING_ERROR_MAX:.0f} %",
            f"off its own rating by {100.0 * off:.1f} %",
        )
    if fit.lost:
        yield Reason(
            "no power inside its own ranges",
            f"gives no power at {fit.lost} points inside its own ranges",
        )
    if fit.fraction_max > 1.0:
        yield Reason(
            "claims more than a Carnot machine's COP",
            f"claims {fit.fraction_max:.2f} of a Carnot machine's COP",
        )
    if fit.lift_response < LIFT_RESPONSE_MIN:
        fall = 100.0 * fit.lift_response
        yield Reason(
            "hardly reacts to temperature",
            f"hardly reacts to temperature: its COP falls by {fall:.1f} %/K of lift",
        )
    if fit.error.rms > ERROR_MAX:
        yield Reason(
            f"RMS error above {ERROR_MAX:.0f} %", f"RMS error {fit.error.rms:.1f} %"
        )
    if not fit.shape.is_sound:
        text = "COP rises with lift, or power falls with load"
        yield Reason(text, text)


def _remarks(fit: ChillerFit) -> Iterator[Reason]:
    """Yield what a user of the fit should know."""
    if ERROR_GOOD < fit.error.rms <= ERROR_MAX:
        yield Reason(
            f"RMS error above {ERROR_GOOD:.0f} %", f"RMS error {fit.error.rms:.1f} %"
        )
    if fit.error.worst > WORST_ERROR_GOOD:
        yield Reason(
            f"a point more than {WORST_ERROR_GOOD:.0f} % off",
            f"a point {fit.error.worst:.0f} % off",
        )
    if fit.part_load == AVAILABLE and fit.as_used.rms > ERROR_MAX:
        yield Reason(
            f"RMS error above {ERROR_MAX:.0f} % at constant capacity",
            f"RMS error {fit.as_used.rms:.1f} % at constant capacity: refit with "
            "--part-load rated",
        )
    if fit.low_load and fit.low_load.rms > ERROR_MAX:
        yield Reason(
            f"RMS error above {ERROR_MAX:.0f} % below part load {LOAD_FLOOR:g}",
            f"RMS error {fit.low_load.rms:.1f} % below part load {LOAD_FLOOR:g}",
        )
    low, high = fit.lift_range
    if high - low < LIFT_SPAN_MIN:
        yield Reason("short range of lift", f"data over {low:.0f} to {high:.0f} K only")
    least = fit.load_range[0]
    if least > LOAD_FLOOR:
        yield Reason(
            f"data begin above part load {LOAD_FLOOR:g}",
            f"data begin at part load {least:.2f}",
        )
    clipped = fit.shape.clipped_low + fit.shape.clipped_high
    if clipped > CLIPPED_MAX:
        yield Reason(
            f"clipped over more than {100.0 * CLIPPED_MAX:.0f} % of the range",
            f"clipped over {100.0 * clipped:.0f} % of the operating range",
        )
