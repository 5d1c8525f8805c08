"""All parts of a plant fitted to the training rows of a log, one after the other."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site
from coolbound_shadow.calibration.fitting import Fit, fit_part, unfitted
from coolbound_shadow.calibration.metrics import Metrics, compare, hourly
from coolbound_shadow.calibration.part_types import Part
from coolbound_shadow.calibration.parts import PARTS
from coolbound_shadow.calibration.samples import MissingError, Rows, Sample, rows_of
from coolbound_shadow.calibration.solving import evaluate
from coolbound_shadow.calibration.split import Split
from coolbound_shadow.controller_calls import Progress
from coolbound_shadow.log_types import Log

OUT_OF_SHAPE = (
    "not taken: with it COP would rise with lift, or power fall with load, somewhere"
)


@dataclasses.dataclass(frozen=True)
class PartResult:
    """One part: what was fitted, and how near it comes. Static.

    Attributes:
        part: Which.
        fit: Its parameters.
        sample: What the log says of it; None where channels are missing.
        missing: Channels that the log lacks for it.
        modelled: With the fitted values, (T,), NaN where not known.
            [the meter's unit]
        before: Held-out hours with the site's values.
        after: Held-out hours with the fitted ones.
        training: Training hours with the fitted ones.
        coverage: Held-out rows that were known, of all. [1]
    """

    part: Part
    fit: Fit
    sample: Sample | None
    missing: tuple[str, ...]
    modelled: np.ndarray
    before: Metrics
    after: Metrics
    training: Metrics
    coverage: float

    @property
    def measured(self) -> np.ndarray:
        """What the meter read where it is modelled, NaN elsewhere, (T,)."""
        if self.sample is None:
            return np.full(len(self.modelled), np.nan)
        return np.where(np.isfinite(self.modelled), self.sample.measured, np.nan)


@dataclasses.dataclass(frozen=True)
class PlantFit:
    """A plant fitted to a log. Static.

    Attributes:
        plant: With all fitted values that were taken.
        results: Each part.
    """

    plant: PlantParams
    results: tuple[PartResult, ...]


def fit_plant(
    site: Site,
    log: Log,
    split: Split,
    progress: Progress | None = None,
    parts: Sequence[Part] = PARTS,
) -> PlantFit:
    """Return a site's plant fitted to the training rows of its log.

    Args:
        site: The plant as its file says.
        log: The operator's log.
        split: Which rows train and which judge.
        progress: Told after every part.
        parts: What is fitted, in order.
    """
    rows, results = rows_of(site, log), []
    for done, part in enumerate(parts, start=1):
        result, plant = _fit_one(part, rows, split)
        results.append(result)
        rows = dataclasses.replace(
            rows, site=dataclasses.replace(rows.site, plant=plant)
        )
        if progress is not None:
            progress("fit", done, len(parts))
    return PlantFit(rows.site.plant, tuple(results))


def _fit_one(part: Part, rows: Rows, split: Split) -> tuple[PartResult, PlantParams]:
    plant = rows.site.plant
    try:
        rows.need(*part.needs)
        sample = part.collect(rows)
    except MissingError as missing:
        reason = f"the log lacks {missing}"
        return _without(part, plant, missing.names, reason, rows), plant
    chosen = _training(sample, split)
    inputs = {name: each[chosen] for name, each in sample.inputs.items()}
    told = (inputs, sample.measured[chosen], split.day[chosen])
    fit = fit_part(part, plant, *told)
    fitted = _applied(part, plant, fit)
    if part.is_sound and part.is_sound(plant) and not part.is_sound(fitted):
        fit = fit_part(part, plant, *told, held=OUT_OF_SHAPE)
        fitted = _applied(part, plant, fit)
    return _judged(part, plant, fit, sample, rows, split), fitted


def _without(
    part: Part, plant: PlantParams, missing: tuple[str, ...], reason: str, rows: Rows
) -> PartResult:
    nothing = np.full(rows.log.rows, np.nan)
    fit = unfitted(part, plant, reason)
    none = Metrics()
    return PartResult(part, fit, None, missing, nothing, none, none, none, 0.0)


def _training(sample: Sample, split: Split) -> np.ndarray:
    """Return the rows fitted to; nothing of them comes from a held-out row.

    Set-points come from the row before, and how they moved from the one before that.
    """
    chosen = sample.steady & split.is_training
    for back in (1, 2):
        chosen[back:] &= split.is_training[:-back]
    return chosen


def _applied(part: Part, plant: PlantParams, fit: Fit) -> PlantParams:
    if all(each.value == each.parameter.nominal for each in fit.found):
        return plant
    values = jnp.asarray(fit.values, jnp.float32)
    return part.apply(plant, values, jnp.asarray(fit.anchors, jnp.float32))


def _judged(
    part: Part, plant: PlantParams, fit: Fit, sample: Sample, rows: Rows, split: Split
) -> PartResult:
    nominal = np.asarray([each.parameter.nominal for each in fit.found])
    before = _modelled(part, plant, nominal, fit, sample)
    after = _modelled(part, plant, fit.values, fit, sample)
    step = rows.log.step_s

    def metrics(modelled: np.ndarray, wanted: np.ndarray) -> Metrics:
        usable = sample.known & wanted
        series = (np.nan_to_num(each) for each in (sample.measured, modelled))
        return compare(*hourly(split.hour, usable, step, *series).series)

    held = max(int(np.sum(split.is_held_out)), 1)
    return PartResult(
        part=part,
        fit=fit,
        sample=sample,
        missing=(),
        modelled=after,
        before=metrics(before, split.is_held_out),
        after=metrics(after, split.is_held_out),
        training=metrics(after, split.is_training),
        coverage=float(np.sum(sample.known & split.is_held_out)) / held,
    )


def _modelled(
    part: Part, plant: PlantParams, values: np.ndarray, fit: Fit, sample: Sample
) -> np.ndarray:
    """Return what the meter would read, (T,), NaN where not known."""
    found = np.full(len(sample.measured), np.nan)
    if np.any(sample.known):
        inputs = {name: each[sample.known] for name, each in sample.inputs.items()}
        found[sample.known] = evaluate(part, plant, values, fit.anchors, inputs)[0]
    return found
