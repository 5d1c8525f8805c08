"""The shadow run: log, policy and safety layer in, three files out."""

import dataclasses
import importlib.metadata
import time
from importlib import resources
from pathlib import Path

import numpy as np

import coolbound_shadow
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_policy import parse_limit_policy
from coolbound_envs.site import Site
from coolbound_envs.spec import action_digest
from coolbound_envs.tables import InputError
from coolbound_envs.types import Controller
from coolbound_safety.foresight import RECOVERY
from coolbound_safety.limits_notes import ROW_WORDS
from coolbound_safety.margins import SafetyModel, safety_model
from coolbound_safety.types import ADVICE, FilterStatus
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.events import intervention_events
from coolbound_shadow.ingest import read_log
from coolbound_shadow.log_types import Log, log_facts
from coolbound_shadow.notes import model_notes, replay_notes
from coolbound_shadow.output import check_target, output_folder, write_json
from coolbound_shadow.points import parse_point_map
from coolbound_shadow.policies import embedded_policy, read_policy, wrap_controller
from coolbound_shadow.proposals import logged_operator, propose
from coolbound_shadow.records import write_decisions
from coolbound_shadow.replay import Policy, Replay, by_side, replay
from coolbound_shadow.report import ReportData, render_report
from coolbound_shadow.statistics import replay_error
from coolbound_shadow.summary import build_summary, model_summary
from coolbound_shadow.twin import Twin, compare_in_model
from coolbound_shadow.writes import WriteCounter

REFERENCE_LOG = "reference_log.parquet"

ATTRIBUTION = (
    "Weather data by Open-Meteo.com (CC BY 4.0), copy from HewlettPackard/"
    "sustain-cluster; load from the Google cluster trace 2019 (CC BY 4.0), "
    "aggregated by A. Fernández; both changed by simulation"
)
"""What the licences of the shipped log's data ask to be shown with them."""

FORESIGHT = (
    f"Every row of this step is kept; a look {ROW_WORDS[RECOVERY]} had to give way."
)
"""Of steps in which nothing gave way but foresight."""


@dataclasses.dataclass(frozen=True)
class ShadowRun:
    """All that a shadow run found, before it is written. Static.

    Attributes:
        site: The plant.
        log: What was replayed.
        policy: What was shadowed.
        replay: Row by row.
        twin: Operator and policy in the model.
        replay_error: Largest difference of the log replayed as its own policy.
            [each channel's unit]
        writes_attempted: What would have left the process. [1]
        notes: What a reader must know first.
    """

    site: Site
    log: Log
    policy: Policy
    replay: Replay
    twin: Twin
    replay_error: float
    writes_attempted: int
    notes: tuple[str, ...]


def run_shadow(
    site: Site,
    log_path: Path | None,
    policy_folder: Path | None,
    out: Path,
    step_limit: int | None = None,
    progress: Progress | None = None,
    controller: Controller | None = None,
) -> dict[str, object]:
    """Shadow an operator, write the report, and return the summary.

    Args:
        site: The plant; its point map reads the log where it has one.
        log_path: The operator's log; none for the one that ships with the package.
        policy_folder: The policy; none for the one that ships with the package.
        out: Folder for `report.html`, `decisions.parquet` and `summary.json`.
        step_limit: Rows of the log to use, from its start.
        progress: Told what is being done.
        controller: Shadowed in place of a policy from a folder.

    Raises:
        InputError: The site, the log, the policy or the output folder is wrong.
    """
    start = time.perf_counter()
    check_target(out)
    model = safety_model(site, parse_limits(site.root, site.feeder_power))
    log = first_rows(load_log(site, log_path), step_limit)
    if controller is None:
        folder = policy_folder or embedded_policy()
        policy, notes = read_policy(folder, site, log)
    else:
        name = type(controller).__name__
        policy, notes = wrap_controller(controller, name, site, log)
    run = shadow(site, log, policy, model, notes, progress)
    with output_folder(out) as folder:
        digest = write_decisions(run.replay.decisions, folder / "decisions.parquet")
        page = render_report(report_data(run, digest))
        (folder / "report.html").write_text(page, encoding="utf-8")
        summary = summarise(run, time.perf_counter() - start)
        write_json(summary, folder / "summary.json")
    return summary


def shadow(
    site: Site,
    log: Log,
    policy: Policy,
    model: SafetyModel,
    notes: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> ShadowRun:
    """Return what a policy would have done beside the operator.

    Args:
        site: The plant.
        log: The operator's log.
        policy: What is shadowed.
        model: The safety layer's model of the site.
        notes: What a reader must know first.
        progress: Told what is being done.
    """
    with WriteCounter() as writes:
        found = replay(log, policy, model, site.zone, progress=progress)
        twin = compare_in_model(site, log, policy, model, progress=progress)
        again = propose(logged_operator(log.applied), found.inputs, plain_view())
    given = log.applied.astype(np.float32).astype(np.float64)
    return ShadowRun(
        site=site,
        log=log,
        policy=policy,
        replay=found,
        twin=twin,
        replay_error=replay_error(given, again.action),
        writes_attempted=writes.attempts,
        notes=(*notes, *replay_notes(found, log)),
    )


def reference_log() -> Path:
    """Return the log that ships with the package."""
    folder = resources.files(coolbound_shadow) / "data"
    return Path(str(folder / REFERENCE_LOG))


def load_log(site: Site, path: Path | None) -> Log:
    """Return a site's log, read through its point map where it has one.

    Raises:
        InputError: The site needs a log of its own, or the log is wrong.
    """
    if not site.root.has("points"):
        return read_log(path or reference_log())
    if path is None:
        raise InputError(
            f"{site.path}: found a point map and no log, expected the site's own "
            "export; give it with --log"
        )
    return read_log(path, parse_point_map(site.root.table("points"), site.zone))


def first_rows(log: Log, limit: int | None) -> Log:
    """Return the first rows of a log.

    Raises:
        InputError: Fewer than two rows are asked for.
    """
    if limit is None or limit >= log.rows:
        return log
    if limit < 2:
        raise InputError(
            f"--steps: found {limit}, expected at least 2 rows; give a larger number"
        )
    rows = ("time_utc", "offset", "values", "quality", "applied")
    return dataclasses.replace(log, **{k: getattr(log, k)[:limit] for k in rows})


def summarise(run: ShadowRun, seconds: float) -> dict[str, object]:
    """Return `summary.json` of a run.

    Args:
        run: What was found.
        seconds: Time that the run took. [s]
    """
    summary = build_summary(
        site=run.site.name,
        policy_name=run.policy.name,
        log=run.log,
        decisions=run.replay.decisions,
        limits=by_side(run.replay.limits),
        potential=run.twin.potential,
        null_test=run.twin.null_test,
        writes_attempted=run.writes_attempted,
        seconds=seconds,
    )
    latency = 1e3 * run.replay.latency
    return summary | {
        "limits_off": list(parse_limit_policy(run.site.root).limits_off),
        "fallbacks": _fallbacks(run.replay),
        "replay_test": {
            "actions": _number(run.replay_error),
            "energy_percent": run.twin.replay_percent,
        },
        "model": model_summary(
            run.twin.operator, run.twin.limits, run.twin.stored_heat_percent
        ),
        "notes": [*run.notes, *run.twin.notes],
        "latency_ms": {
            "p50": round(float(np.median(latency)), 4),
            "p99": round(float(np.quantile(latency, 0.99)), 4),
            "max": round(float(np.max(latency)), 4),
        },
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _fallbacks(found: Replay) -> dict[str, int]:
    decisions = found.decisions
    reasons = [
        reason
        for reason, status in zip(decisions.reason, decisions.status, strict=True)
        if status == FilterStatus.FALLBACK.name
    ]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def report_data(run: ShadowRun, digest: str) -> ReportData:
    """Return what the report says of a run.

    Args:
        run: What was found.
        digest: SHA-256 of `decisions.parquet`.
    """
    decisions = run.replay.decisions
    return ReportData(
        site=run.site.title,
        policy=run.policy.name,
        log=log_facts(run.log),
        decisions=decisions,
        events=intervention_events(decisions, run.log.step_s),
        limits=run.replay.limits,
        potential=run.twin.potential,
        null_test=run.twin.null_test,
        replay_error=run.replay_error,
        writes_attempted=run.writes_attempted,
        notes=(*run.notes, *run.twin.notes),
        provenance=_attribution(run.log)
        | {
            "coolbound": importlib.metadata.version("coolbound"),
            "Site file, sha256": run.site.digest,
            "Action table digest": action_digest(),
            "decisions.parquet, sha256": digest,
        },
        model_limits=run.twin.limits,
        model_notes=model_notes(run.twin),
        null_basis=run.twin.null_basis,
        statuses=_statuses(run.replay),
        limits_off=parse_limit_policy(run.site.root).limits_off,
    )


def _attribution(log: Log) -> dict[str, str]:
    """Return the line that the licences of the shipped log's data ask for."""
    if REFERENCE_LOG not in {source.name for source in log.sources}:
        return {}
    return {"Data in the shipped log": ATTRIBUTION}


def _statuses(found: Replay) -> tuple[tuple[str, int], ...]:
    """Return what the safety layer did; foresight that gave way is no limit's."""
    names = found.decisions.status
    counts = {ADVICE[s]: names.count(s.name) for s in FilterStatus}
    foresight = int(np.sum(found.decisions.extra["is_foresight_only"]))
    counts[ADVICE[FilterStatus.RELAXED]] -= foresight
    if foresight:
        counts[FORESIGHT] = foresight
    return tuple(counts.items())
