"""What a calibrated twin may be used for, claim by claim, and why not.

Absolute energy asks for ASHRAE Guideline 14's hourly bounds in held-out weeks. They
are loose: a model five percent off passes and fakes as much. A modelled potential is
a difference of two runs of one model, which cancels much of that; it asks for the
bounds as well, for a chiller that the log has shown, and that the model's bias be at
most a fifth of what is claimed, which gives the least potential that may be told. A
limit asks that its temperature be met where it is measured. Energy at measured
conditions asks the bounds of the parts alone, each given its measured load and water:
it is for watching equipment, not for asking what another policy would have done.
"""

import dataclasses
import math

from coolbound_shadow.calibration.bins import worst_share
from coolbound_shadow.calibration.free_run import FreeRun
from coolbound_shadow.calibration.judging import Judgement, TempError
from coolbound_shadow.calibration.metrics import Metrics
from coolbound_shadow.calibration.plant_fit import PlantFit
from coolbound_shadow.calibration.split import Split
from coolbound_shadow.refusal_limits import RefusalLimits, published

BIAS_LEAST = 0.5
"""A bias below this is not known: usual power meters are of class 0.5. [percent]"""

POTENTIAL, ENERGY, PARTS = "relative_potential", "absolute_energy", "energy_of_parts"


DRIVEN = "the parts driven by readings"
DAYS_ONLY = "no whole week was held out: the log has less than two"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One claim. Static.

    Attributes:
        claim: Short name.
        title: For people.
        supported: True where the twin is good enough.
        because: Why it is, or why not, clauses.
        but: What a supported claim does not rest on the log for, clauses.
    """

    claim: str
    title: str
    supported: bool
    because: tuple[str, ...]
    but: tuple[str, ...] = ()


def least_claim(judgement: Judgement, limits: RefusalLimits | None = None) -> float:
    """Return the least potential of which the bias is a fifth; NaN unknown [%]."""
    limits, bias = limits or published(), abs(judgement.free.nmbe)
    return bias if math.isnan(bias) else max(bias, BIAS_LEAST) / limits.null_share


def verdicts(
    fit: PlantFit,
    judgement: Judgement,
    run: FreeRun,
    split: Split,
    limits: RefusalLimits | None = None,
) -> tuple[Verdict, ...]:
    """Return what the twin may be used for."""
    limits = limits or published()
    energy = _energy_faults(judgement, run, split, limits)
    return (
        _potential(fit, judgement, energy, limits),
        Verdict(
            ENERGY,
            "Absolute energy",
            not energy,
            tuple(energy) or (_kept(judgement.free),),
        ),
        _parts(judgement, split, limits),
        *(
            _limit(word, error, run, limits)
            for word, error in judgement.temperatures.items()
        ),
    )


def _parts(judgement: Judgement, split: Split, limits: RefusalLimits) -> Verdict:
    """Return whether power follows from what the parts were measured to be given."""
    driven = judgement.driven
    faults = [] if driven.passes(limits) else [_beyond(DRIVEN, driven, limits)]
    if split.unit != "weeks":
        faults.append(DAYS_ONLY)
    return Verdict(
        PARTS,
        "Energy at measured conditions",
        not faults,
        tuple(faults) or (_kept(driven),),
    )


def _kept(metrics: Metrics) -> str:
    return (
        f"cooling power of {metrics.hours:,} held-out hours: CV(RMSE) "
        f"{metrics.cv_rmse:.1f} %, NMBE {metrics.nmbe:+.1f} %"
    )


def _energy_faults(
    judgement: Judgement, run: FreeRun, split: Split, limits: RefusalLimits
) -> list[str]:
    """Return what stands against any claim of energy."""
    faults = []
    if split.unit != "weeks":
        faults.append(DAYS_ONLY)
    if run.refused:
        faults.append(f"the model could not be run along the log: {run.refused}")
    elif not judgement.meters:
        faults.append("no power of the cooling plant is metered")
    elif not judgement.free.passes(limits):
        faults.append(_beyond("the twin run freely", judgement.free, limits))
    if not judgement.driven.passes(limits):
        faults.append(_beyond(DRIVEN, judgement.driven, limits))
    return faults


def _beyond(what: str, metrics: Metrics, limits: RefusalLimits) -> str:
    if not math.isfinite(metrics.cv_rmse):
        return f"{what}: {metrics.hours} held-out hours, too few for a figure"
    return (
        f"{what}: CV(RMSE) {metrics.cv_rmse:.1f} % and NMBE {metrics.nmbe:+.1f} % in "
        f"held-out hours, beyond {limits.cv_rmse:g} % or {limits.nmbe:g} %"
    )


def _potential(
    fit: PlantFit, judgement: Judgement, energy: list[str], limits: RefusalLimits
) -> Verdict:
    faults = [*energy, *_chiller_faults(fit, limits)]
    faults += [*_bias_faults(judgement, limits), *_bin_faults(judgement, limits)]
    least = least_claim(judgement, limits)
    times = f"{1.0 / limits.null_share:.3g} times" if limits.null_share else "all of"
    kept = (f"of at least {least:.1f} %, {times} the bias",)
    return Verdict(
        POTENTIAL,
        "Relative potential",
        not faults,
        tuple(faults) or kept,
        () if faults else _nameplate(fit),
    )


def _bias_faults(judgement: Judgement, limits: RefusalLimits) -> list[str]:
    least = least_claim(judgement, limits)
    if not (judgement.free.passes(limits) and least > limits.largest_least_claim):
        return []
    return [
        f"the bias of {judgement.free.nmbe:+.1f} % is more than "
        f"{100.0 * limits.null_share:.0f} % of any potential below {least:.0f} %"
    ]


def _bin_faults(judgement: Judgement, limits: RefusalLimits) -> list[str]:
    share = worst_share(judgement.cells, limits.nmbe)
    if math.isnan(share):
        return ["no cell of load and wet bulb has enough held-out hours"]
    if share <= limits.bad_bins:
        return []
    return [
        f"{100.0 * share:.0f} % of the held-out hours lie in cells of load and wet "
        f"bulb off by more than {limits.nmbe:g} %"
    ]


def _chiller_faults(fit: PlantFit, limits: RefusalLimits) -> list[str]:
    result = next(r for r in fit.results if r.part.name == "chiller")
    scale = result.fit.found[0]
    if scale.refused:
        return [f"{scale.parameter.name}: {scale.refused}"]
    if not result.after.passes(limits):
        return [_beyond("chillers driven by readings", result.after, limits)]
    return []


def _nameplate(fit: PlantFit) -> tuple[str, ...]:
    """Return the set-points whose effect the log has not shown."""
    found = [
        f"{channel} ({each.parameter.name})"
        for result in fit.results
        for each in result.fit.found
        for channel in each.parameter.channels
        if each.refused
    ]
    if not found:
        return ()
    return (f"the site file, not this log, tells the effect of {', '.join(found)}",)


def _limit(word: str, error: TempError, run: FreeRun, limits: RefusalLimits) -> Verdict:
    claim, title = f"limits_{word.replace(' ', '_')}", f"Limits of {word}"
    if error.refused:
        return Verdict(claim, title, False, (error.refused,))
    if not run.is_logged:
        reason = f"the log lacks set-points: {run.operator} stood for the operator"
        return Verdict(claim, title, False, (reason,))
    text = (
        f"95 % of {error.hours:,} held-out hours within {error.within:.2f} K, bias "
        f"{error.bias:+.2f} K; {limits.temperature:g} K needed"
    )
    return Verdict(claim, title, error.within <= limits.temperature, (text,))
