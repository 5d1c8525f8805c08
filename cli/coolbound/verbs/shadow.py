"""`coolbound shadow`: a policy beside the operator of a log, and the report."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from coolbound.choices import REFERENCE_POLICY, RULES
from coolbound.compose import chosen_site, named_controller, policy_folder
from coolbound.console import Answer, progress_bar
from coolbound_envs.tables import InputError
from coolbound_shadow.run import run_shadow

REPORT = "report.html"


def run(options: Namespace) -> Answer:
    """Run the shadow and write report, decisions and summary.

    Raises:
        InputError: Site, log, policy or folder cannot be used.
    """
    site = chosen_site(options.site)
    rule, folder = None, None
    if options.policy in RULES:
        rule = named_controller(options.policy, site).controller
    elif options.policy != REFERENCE_POLICY:
        folder = policy_folder(options.policy)
    if options.log is not None and not options.log.is_file():
        raise InputError(
            f"{options.log}: no such file, expected an operator's log; check --log"
        )
    with progress_bar() as progress:
        summary = run_shadow(
            site, options.log, folder, options.out, options.steps, progress, rule
        )
    report = options.out / REPORT
    return Answer(summary, "\n".join([*_lines(summary), f"report: {report}"]))


def _lines(summary: Mapping[str, Any]) -> list[str]:
    log, interventions = summary["log"], summary["interventions"]
    policy = summary["policy"]
    kinds = ", ".join(f"{k} {n:,}" for k, n in interventions["by_kind"].items())
    limits = ", ".join(f"{k} {n:,}" for k, n in interventions["by_limit"].items())
    return [
        f"log: {log['rows']:,} rows, {log['start']} to {log['end']}, "
        f"{sum(log['rejected'].values()):,} rejected",
        f"policy: {policy['name']} ({policy['digest'][:12]}), "
        f"{summary['decisions']:,} decisions in {summary['seconds']:.1f} s",
        f"interventions: {interventions['count']:,} "
        f"({100.0 * interventions['rate']:.1f} %), by kind: {kinds}; by limit: "
        f"{limits or 'none'}",
        f"violations: operator {_violations(summary, 'operator')}, proposed "
        f"{_violations(summary, 'proposed')}, certified "
        f"{_violations(summary, 'certified')}",
        f"modelled potential: {_percent(summary['modelled_potential'])}",
        f"null test: {_percent(summary['null_test'])}; writes attempted: "
        f"{summary['writes_attempted']}",
    ]


def _violations(summary: Mapping[str, Any], side: str) -> int:
    values = summary["limit_values"][side].values()
    return sum(value["violations"] for value in values)


def _percent(found: Mapping[str, Any]) -> str:
    if found["refused"]:
        return f"not given: {found['refused']}"
    return f"{found['percent']:+.2f} % [{found['low']:+.2f}, {found['high']:+.2f}]"
