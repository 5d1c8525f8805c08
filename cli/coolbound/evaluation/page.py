"""`report.html`: one file, no script, no address; the first page is the answer."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

import jinja2
import numpy as np
from markupsafe import Markup

from coolbound.evaluation import limit_tables, tables, texts
from coolbound.evaluation.bin_tables import bin_tables
from coolbound.evaluation.drawings import Whisker, interval_figure, stack_figure
from coolbound.evaluation.headroom import headroom_heads, headroom_rows
from coolbound.evaluation.seed_tables import SEED_COLUMNS, seed_tables
from coolbound.evaluation.shown import Data, Shown, difference, mean, shown, subjects
from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_figures import cooling_power_21
from coolbound_envs.limit_table import LIMITS
from coolbound_shadow.report_axes import Line
from coolbound_shadow.report_figures import DAY_S, time_figure

CONSUMERS: Final = {
    "chiller": "chillers",
    "tower": "towers",
    "cw_pump": "condenser pumps",
    "chw_pump": "chilled-water pumps",
    "crah": "CRAH fans",
    "extra_it": "servers above 21 degC",
}
"""Parts of cooling energy, with the words of the page."""

STYLES: Final = ("applied", "certified", "proposed")
"""Classes of the lines over time: the baseline first."""

BINNED: Final = 3
"""Tables by wet bulb and load that are shown; all are in the JSON. [1]"""

NEW_YEAR: Final = 1609459200
"""1 January of a year with 365 days, UTC epoch: weather years have no date. [s]"""


def render(data: Data, traces: Mapping[str, Trace]) -> str:
    """Return the page.

    Args:
        data: As `evaluation.json` holds it, before NaN became null.
        traces: What each controller did, by its name.
    """
    folder = resources.files("coolbound.evaluation") / "templates"
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = (folder / "report.html.j2").read_text(encoding="utf-8")
    template = environment.from_string(source)
    return template.render(_context(data, traces)).rstrip("\n")


def _context(data: Data, traces: Mapping[str, Trace]) -> dict[str, Any]:
    rows, about = shown(data), subjects(data)
    broken = limit_tables.limit_rows(data)
    return {
        "data": data,
        "rows": rows,
        "others": [row for row in rows if data["baseline"] not in row.members],
        "guarded": [row for row in rows if row.is_guarded],
        "setting": texts.setting(data),
        "notes": texts.notes(data),
        "answers": [texts.answer(data, row) for row in about],
        "answer_rows": tables.answer_rows(data),
        "intervals": _intervals(data),
        "place_rows": tables.place_rows(data),
        "versus_rows": tables.versus_rows(data),
        "headroom_heads": headroom_heads(data),
        "headroom_rows": headroom_rows(data),
        "energy_heads": [head for head, *_ in tables.ENERGY],
        "energy_rows": tables.energy_rows(data),
        "consumers": _consumers(data, rows),
        "limit_rows": broken,
        "kept": len(LIMITS) - len(data["limits_off"]) - len(broken),
        "cause_rows": limit_tables.cause_rows(data),
        "kind_rows": limit_tables.kind_rows(data),
        "seed_heads": [head for head, *_ in SEED_COLUMNS],
        "seed_tables": seed_tables(data),
        "bin_tables": bin_tables(data, about[:BINNED]),
        "channels": tables.channel_heads(),
        "wear_rows": tables.wear_rows(data),
        "days": _days(data, about, traces),
    }


def _intervals(data: Data) -> Markup:
    """Return the differences of cooling energy; nothing where there is none."""
    found = []
    for row in shown(data):
        pair = difference(data, row, data["baseline"])
        if pair is None or pair["refused"]:
            continue
        value = pair["percent"]
        low, high = (value if pair[k] is None else pair[k] for k in ("low", "high"))
        found.append(Whisker(row.name, value, low, high, _dots(data, row)))
    if not found:
        return Markup("")
    words = (
        f"{w.name} {w.value:+.1f} % ({w.low:+.1f} to {w.high:+.1f} %)" for w in found
    )
    label = f"Less cooling energy than {data['baseline']}: {'; '.join(words)}"
    return interval_figure(label, found)


def _dots(data: Data, row: Shown) -> list[float]:
    """Return the seeds of a learner, or the places of a controller by itself."""
    if row.is_group:
        pairs = [data["paired"].get(name) for name in row.members]
        return [pair["cooling_21"]["point"] for pair in pairs if pair is not None]
    places = data["cities"].values()
    found = [difference(part, row, data["baseline"]) for part in places]
    return [each["point"] for each in found if each]


def _consumers(data: Data, rows: Sequence[Shown]) -> Markup:
    parts = {
        row.name: {
            word: mean(data, row, "energy_kwh", name) / 1e3
            for name, word in CONSUMERS.items()
        }
        for row in rows
    }
    sums = "; ".join(f"{n} {sum(p.values()):,.1f} MWh" for n, p in parts.items())
    return stack_figure(f"Cooling energy by consumer: {sums}", parts, "MWh")


def _days(data: Data, about: Sequence[Shown], traces: Mapping[str, Trace]) -> Markup:
    """Return the daily mean cooling power of the baseline and of those it is about.

    Nothing where there are several starts: their days are not the same days.
    """
    if len(data["start"]) > 1:
        return Markup("")
    names = {data["baseline"]: (data["baseline"],)}
    names |= {row.name: row.members for row in about[: len(STYLES) - 1]}
    lines = [
        Line(name, style, _daily([traces[member] for member in members]))
        for style, (name, members) in zip(STYLES, names.items(), strict=False)
    ]
    count = len(lines[0].values)
    time = NEW_YEAR + DAY_S * (data["start"][0] + np.arange(1, count + 1))
    label = f"Cooling power of each day, all places together: {', '.join(names)}"
    marks = np.zeros(count, bool)
    return time_figure(label, "kW", time, DAY_S, lines, marks, height=190)


def _daily(traces: Sequence[Trace]) -> np.ndarray:
    """Return the power of all places, mean over the traces, (days,) [kW]."""
    sums = [np.sum(cooling_power_21(trace), axis=1) / 1e3 for trace in traces]
    return np.mean(sums, axis=0)
