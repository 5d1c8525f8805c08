"""`coolbound chiller list|fit`: chiller records, and refitting them for a site."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coolbound.console import Answer, json_text, progress_bar, table
from coolbound.grammar.common import UsageError
from coolbound_envs.chiller_records import (
    ChillerRecord,
    find_record,
    matching_records,
    read_records,
    shipped_records,
)
from coolbound_envs.chiller_report import (
    judgement_data,
    record_data,
    report_text,
    site_section,
    summary,
    table_text,
)
from coolbound_envs.chiller_verdict import REFUSED, Judgement, judge
from coolbound_envs.site import Site, load_site
from coolbound_envs.tables import InputError
from coolbound_shadow.output import check_target, output_folder

ALL_FOLDER = Path("runs/chiller")
"""Where `fit --all` writes when nothing is named."""

ONE, EVERY = "fit.json", "summary.json"
"""A folder that holds one of these is an earlier result."""

LABELS = {
    "records": "records",
    "fitted": "fitted",
    "rms_within_3_pct": "RMS error within 3 %",
    "as_used_rms_within_3_pct": "the same at constant capacity",
}
"""What people read of the counts whose names are not words."""

SNIPPET, TABLE = "chiller.toml", "chillers.csv"


def run(options: Namespace) -> Answer:
    """List records, or refit one or all of them.

    Raises:
        UsageError: The options do not go together.
        InputError: A record, a file, the site or the folder cannot be used.
    """
    _require_sense(options)
    if options.what == "list":
        return _list(_records(options), options.name or "")
    site = load_site(options.site)
    return _fit_all(options, site) if options.all else _fit_one(options, site)


def _require_sense(options: Namespace) -> None:
    """Refuse options that say nothing together."""
    if options.what == "list":
        given = "--all" if options.all else "--out" if options.out else ""
        if given:
            raise UsageError(f"chiller list: found {given}, expected it with fit only")
    elif options.all and options.name:
        raise UsageError(
            f"chiller fit: found {options.name!r} and --all, expected one of them"
        )
    elif not (options.all or options.name or options.file):
        raise UsageError(
            "chiller fit: found no record, expected a name, --file or --all; see "
            "`coolbound chiller list`"
        )


def _records(options: Namespace) -> dict[str, ChillerRecord]:
    return read_records(options.file) if options.file else dict(shipped_records())


def _list(records: dict[str, ChillerRecord], text: str) -> Answer:
    found = matching_records(text, records)
    if not found:
        raise InputError(
            f"chiller list: found no record with {text!r} in its name, expected part "
            "of one; try `coolbound chiller list york`"
        )
    data = {
        "schema": "coolbound.chiller-list/1",
        "count": len(found),
        "records": [record_data(record) for record in found],
    }
    header = ("name", "kW", "COP", "drive", "leaving", "condenser", "side", "load")
    rows = table(header, [_row(entry) for entry in data["records"]])
    return Answer(data, f"{rows}\n\n{len(found)} records, temperatures in degC")


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        entry["name"],
        f"{entry['capacity_w'] / 1e3:.0f}",
        f"{entry['cop']:.2f}",
        entry["drive"] or "-",
        _ends(entry["leaving_range_c"], ".1f"),
        _ends(entry["condenser_range_c"], ".1f"),
        entry["condenser_side"] if entry["is_water_cooled"] else "air",
        _ends(entry["load_range"], ".2f"),
    )


def _ends(ends: Sequence[float], form: str) -> str:
    return f"{ends[0]:{form}} to {ends[1]:{form}}"


def _fit_one(options: Namespace, site: Site) -> Answer:
    if options.out:
        check_target(options.out, ONE)
    lift_floor = float(site.plant.chiller.lift_floor)
    judgement = judge(_chosen(options), options.part_load, lift_floor)
    snippet = _snippet(judgement, site)
    data = {
        "schema": "coolbound.chiller-fit/1",
        "site": site.name,
        **judgement_data(judgement),
        "site_section": snippet,
    }
    text = report_text(judgement) + (f"\n\n{snippet}" if snippet else "")
    if options.out:
        with output_folder(options.out, ONE) as folder:
            (folder / ONE).write_text(json_text(data) + "\n", encoding="utf-8")
            if snippet:
                (folder / SNIPPET).write_text(snippet, encoding="utf-8")
    return Answer(data, text.rstrip("\n"))


def _chosen(options: Namespace) -> ChillerRecord:
    """Return the record that was named, or the only one of the user's file."""
    records = _records(options)
    if options.name:
        return find_record(options.name, records)
    if len(records) > 1:
        raise InputError(
            f"{options.file}: found {len(records)} records, expected the name of one; "
            f"did you mean `coolbound chiller fit {next(iter(records))} --file "
            f"{options.file}`?"
        )
    return next(iter(records.values()))


def _snippet(judgement: Judgement, site: Site) -> str | None:
    """Return the site's chiller section with this machine; None if refused."""
    if judgement.fit is None or judgement.verdict == REFUSED:
        return None
    chiller = site.root.data["equipment"]["chiller"]
    return site_section(judgement.fit, chiller)


def _fit_all(options: Namespace, site: Site) -> Answer:
    target = options.out or ALL_FOLDER
    check_target(target, EVERY)
    records = list(_records(options).values())
    lift_floor = float(site.plant.chiller.lift_floor)
    judgements = []
    with progress_bar() as progress:
        for done, record in enumerate(records):
            progress("records", done, len(records))
            judgements.append(judge(record, options.part_load, lift_floor))
    data = {
        "schema": "coolbound.chiller-fit-all/1",
        "site": site.name,
        "part_load": options.part_load,
        "forms": summary(judgements),
        "files": [str(target / TABLE), str(target / EVERY)],
    }
    with output_folder(target, EVERY) as folder:
        (folder / TABLE).write_text(table_text(judgements), encoding="utf-8")
        (folder / EVERY).write_text(json_text(data) + "\n", encoding="utf-8")
    return Answer(data, _summary_text(data["forms"]) + f"\n\n{target / TABLE}")


def _summary_text(forms: dict[str, dict[str, Any]]) -> str:
    """Return the counts of every form as one table and the reasons below it."""
    names = list(next(iter(forms.values())))
    plain = [name for name in names if name not in ("refusals", "remarks")]
    rows = [
        (LABELS.get(name, name), *(str(counts[name]) for counts in forms.values()))
        for name in plain
    ]
    for title in ("refusals", "remarks"):
        kinds = dict.fromkeys(
            kind for counts in forms.values() for kind in counts[title]
        )
        rows += [
            (f"{title}: {kind}", *(str(c[title].get(kind, 0)) for c in forms.values()))
            for kind in kinds
        ]
    return table(("", *forms), rows)
