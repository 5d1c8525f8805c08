"""The shadow run: log, policy and safety layer in, three files out."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np

from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_envs.types import Controller
from coolbound_safety.margins import SafetyModel, safety_model
from coolbound_shadow.calibration.record import notes_beside
from coolbound_shadow.comparison import compare
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.coverage import Year
from coolbound_shadow.log_types import Log
from coolbound_shadow.memory import give_back
from coolbound_shadow.notes import replay_notes
from coolbound_shadow.output import check_target, output_folder, write_json
from coolbound_shadow.policies import embedded_policy, read_policy, wrap_controller
from coolbound_shadow.potential import judged
from coolbound_shadow.proposals import logged_operator, propose
from coolbound_shadow.recording import (
    LedgerChoice,
    record_decisions,
    record_limits,
    record_report,
    require_recordable,
    require_same_policy,
)
from coolbound_shadow.records import write_decisions
from coolbound_shadow.refusal_limits import RefusalLimits, published
from coolbound_shadow.replay import Policy, replay
from coolbound_shadow.report import render_report
from coolbound_shadow.results import ShadowRun, report_data, summarise
from coolbound_shadow.selection import (
    Period,
    first_rows,
    load_log,
    require_replayable,
    select_period,
)
from coolbound_shadow.shift_plan import USUAL, ShiftPlan, site_plan
from coolbound_shadow.statistics import replay_error
from coolbound_shadow.twin import compare_in_model
from coolbound_shadow.writes import WriteCounter

REPORT, DECISIONS, SUMMARY = "report.html", "decisions.parquet", "summary.json"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What of a log is replayed, and where it is put on record. Static.

    Attributes:
        period: Part of the log; None for all of it.
        step_limit: Rows of that part to use, from its start; None for all. [1]
        ledger: Where the decisions go on record; None for nowhere.
        year: The site's operating range; None where it is not known.
        limits: Below what no potential is told; None for the published limits.
        plan: The hours of the shifts; None for those of the site file.
    """

    period: Period | None = None
    step_limit: int | None = None
    ledger: LedgerChoice | None = None
    year: Year | None = None
    limits: RefusalLimits | None = None
    plan: ShiftPlan | None = None


def run_shadow(
    site: Site,
    log_path: Path | None,
    policy_folder: Path | None,
    out: Path,
    wanted: Wanted | None = None,
    progress: Progress | None = None,
    controller: Controller | None = None,
) -> dict[str, object]:
    """Shadow an operator, write the report, and return the summary.

    Args:
        site: The plant; its point map reads the log where it has one.
        log_path: The operator's log; none for the one that ships with the package.
        policy_folder: The policy; none for the one that ships with the package.
        out: Folder for `report.html`, `decisions.parquet` and `summary.json`.
        wanted: Part of the log, and the ledger; by default all of it, and none.
        progress: Told what is being done.
        controller: Shadowed in place of a policy from a folder.

    Raises:
        InputError: The site, the log, the policy, the ledger or the output folder
            is wrong.
    """
    start, wanted = time.perf_counter(), wanted or Wanted()
    check_target(out)
    signer = require_recordable(wanted.ledger, out) if wanted.ledger else None
    plan = wanted.plan or site_plan(site.root)
    model = safety_model(site, parse_limits(site.root, site.feeder_power))
    log = select_period(load_log(site, log_path), wanted.period or Period())
    require_replayable(log, site)
    log = first_rows(log, wanted.step_limit)
    policy, notes = _policy(site, log, policy_folder, controller)
    limits = wanted.limits or published()
    if wanted.ledger and signer:
        require_same_policy(wanted.ledger, policy, log)
        notes += record_limits(wanted.ledger, signer, policy, log, limits)
    run = shadow(site, log, policy, model, notes, progress, wanted.year, limits, plan)
    recorded: Any = None
    with output_folder(out) as folder:
        digest = write_decisions(run.replay.decisions, folder / DECISIONS)
        if wanted.ledger and signer:
            recorded = record_decisions(wanted.ledger, signer, policy, log, run.replay)
        head = recorded.head if recorded else None
        page = render_report(report_data(run, digest, head)).encode()
        (folder / REPORT).write_bytes(page)
        if wanted.ledger and signer:
            recorded = record_report(wanted.ledger, signer, recorded, REPORT, page)
        summary = summarise(run, time.perf_counter() - start)
        if wanted.ledger:
            summary["ledger"] = recorded.as_data(wanted.ledger.folder)
        write_json(summary, folder / SUMMARY)
    return summary


def _policy(
    site: Site, log: Log, folder: Path | None, controller: Controller | None
) -> tuple[Policy, tuple[str, ...]]:
    """Return what is shadowed, and notes for the report."""
    if controller is None:
        return read_policy(folder or embedded_policy(), site, log)
    return wrap_controller(controller, type(controller).__name__, site, log)


def shadow(
    site: Site,
    log: Log,
    policy: Policy,
    model: SafetyModel,
    notes: tuple[str, ...] = (),
    progress: Progress | None = None,
    year: Year | None = None,
    limits: RefusalLimits | None = None,
    plan: ShiftPlan = USUAL,
) -> ShadowRun:
    """Return what a policy would have done beside the operator.

    Args:
        site: The plant.
        log: The operator's log.
        policy: What is shadowed.
        model: The safety layer's model of the site.
        notes: What a reader must know first.
        progress: Told what is being done.
        year: The site's operating range; None where it is not known.
        limits: Below what no potential is told; None for the published limits.
        plan: The hours of the site's shifts.
    """
    limits = limits or published()
    with WriteCounter() as writes:
        # The model's programs take most memory to compile: they go first.
        twin = compare_in_model(
            site, log, policy, model, progress=progress, limits=limits
        )
        give_back()
        found = replay(log, policy, model, site.zone, progress=progress)
        again = propose(logged_operator(log.applied), found.inputs, plain_view())
    twin = judged(twin, log, found, limits)
    given = log.applied.astype(np.float32).astype(np.float64)
    return ShadowRun(
        site=site,
        log=log,
        policy=policy,
        replay=found,
        twin=twin,
        replay_error=replay_error(given, again.action),
        comparison=compare(site, log, policy, found, twin, year, limits, plan),
        writes_attempted=writes.attempts,
        notes=(*limits.notes(), *notes_beside(site), *notes, *replay_notes(found, log)),
        limits=limits,
    )
