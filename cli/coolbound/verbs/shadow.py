"""`coolbound shadow`: a policy beside the operator of a log, and the report."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from coolbound.choices import REFERENCE_POLICY, RULES
from coolbound.compose import chosen_site, named_controller, policy_folder
from coolbound.console import Answer, progress_bar
from coolbound.grammar.common import UsageError
from coolbound.verbs.ledger import key_path
from coolbound_envs.load import load_trace
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_envs.weather import load_weather
from coolbound_shadow.coverage import Year, year_of
from coolbound_shadow.pdf import require_printer, write_pdf
from coolbound_shadow.recording import LedgerChoice
from coolbound_shadow.refusal_limits import read_limits
from coolbound_shadow.run import Wanted, run_shadow
from coolbound_shadow.selection import Period
from coolbound_shadow.shift_plan import chosen_plan

REPORT = "report.html"

EMBEDDED_YEAR = ("frankfurt-2021", "google2019")
"""Weather and load that the embedded log was simulated from."""


def run(options: Namespace) -> Answer:
    """Run the shadow and write report, decisions and summary.

    Raises:
        UsageError: The options do not go together.
        InputError: Site, log, policy, ledger or folder cannot be used.
    """
    if options.pdf:
        require_printer()
    site = chosen_site(options.site)
    wanted = _wanted(options, site)
    rule, folder = None, None
    if options.policy in RULES:
        rule = named_controller(options.policy, site).controller
    elif options.policy != REFERENCE_POLICY:
        folder = policy_folder(options.policy)
    if options.log is not None and not options.log.exists():
        raise InputError(
            f"{options.log}: no such file or folder, expected an operator's log; "
            "check --log"
        )
    with progress_bar() as progress:
        summary = run_shadow(
            site, options.log, folder, options.out, wanted, progress, rule
        )
    report = options.out / REPORT
    if options.pdf:
        write_pdf(report, report.with_suffix(".pdf"))
    return Answer(summary, "\n".join([*_lines(summary), f"report: {report}"]))


def _wanted(options: Namespace, site: Site) -> Wanted:
    """Return the part of the log, the ledger and the range that were asked for.

    Raises:
        UsageError: A run or a key is named and no ledger.
    """
    if options.ledger is None and (options.run or options.key):
        raise UsageError(
            "shadow: found --run or --key without --ledger, expected the folder of "
            "the ledger too; add it"
        )
    ledger = None
    if options.ledger is not None:
        ledger = LedgerChoice(options.ledger, key_path(options.key), options.run)
    period = Period(options.begin, options.end)
    limits = read_limits(options.refusals)
    plan = chosen_plan(options.shifts, site.root)
    return Wanted(period, options.steps, ledger, _year(options, site), limits, plan)


def _year(options: Namespace, site: Site) -> Year | None:
    """Return the site's operating range; of the embedded log it is known.

    Raises:
        UsageError: One of weather and load is given without the other.
        InputError: One of them cannot be read.
    """
    weather, load = options.year_weather, options.year_load
    if weather is None and load is None:
        if options.log is not None or site.root.has("points"):
            return None
        weather, load = EMBEDDED_YEAR
    if weather is None or load is None:
        raise UsageError(
            "shadow: found one of --year-weather and --year-load, expected both: the "
            "operating range is one of weather and load; add the other"
        )
    return year_of(load_weather(weather), load_trace(load), site)


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
        _coverage_line(summary),
        *(f"note: {note}" for note in _changed(summary)),
        *_ledger_lines(summary),
    ]


def _coverage_line(summary: Mapping[str, Any]) -> str:
    found = summary["coverage"]
    missing = "; ".join(found["missing"]) or "nothing"
    return f"coverage: {found['days']} whole days; still missing: {missing}"


def _changed(summary: Mapping[str, Any]) -> list[str]:
    """Return what a user changed of the refusal limits, which nothing may hide."""
    limits = summary["refusal_limits"]
    return [
        f"refusal limit {key} is {limits['values'][key]}, published {published}"
        for key, published in limits["published"].items()
    ]


def _ledger_lines(summary: Mapping[str, Any]) -> list[str]:
    if "ledger" not in summary:
        return []
    found = summary["ledger"]
    head = found["head"]
    return [
        f"ledger: run {found['run']}, {found['appended']:,} ticks appended, "
        f"{found['ticks']:,} in all, in {found['folder']}",
        f"head: {head['count']:,} records, {head['hash']}, signed {head['time']}",
    ]


def _violations(summary: Mapping[str, Any], side: str) -> int:
    values = summary["limit_values"][side].values()
    return sum(value["violations"] for value in values)


def _percent(found: Mapping[str, Any]) -> str:
    if found["refused"]:
        return f"not given: {found['refused']}"
    return f"{found['percent']:+.2f} % [{found['low']:+.2f}, {found['high']:+.2f}]"
