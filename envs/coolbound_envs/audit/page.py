"""The audit as one offline HTML page: verdict, every check, tables and figures."""

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2

from coolbound_envs.audit import figures
from coolbound_envs.audit.records import Audit, Check
from coolbound_envs.audit.run import TITLES
from coolbound_envs.audit.sign_table import POINTS

SUPERSCRIPT = str.maketrans(
    "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)

STATUS = {
    True: ("&#10003;", "passed"),
    False: ("&#9632;", "failed"),
    None: ("&#9675;", "not run"),
}


def render_page(audit: Audit, provenance: Mapping[str, str]) -> str:
    """Return the page, without scripts or addresses.

    Args:
        audit: All answers.
        provenance: Versions, digests and settings by name.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = resources.files("coolbound_envs.audit") / "templates"
    source = (folder / "audit.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(_context(audit, provenance))


def _context(audit: Audit, provenance: Mapping[str, str]) -> dict[str, Any]:
    by_name = {check.name: check for check in audit.checks}
    scored = _details(by_name, "degenerate_policies")
    episodes = by_name.get("random_episodes")
    return {
        "audit": audit,
        "checks": [_check_row(check) for check in audit.checks],
        "counts": {
            word: sum(check.passed is passed for check in audit.checks)
            for passed, (_, word) in STATUS.items()
        },
        "failed": [_check_row(c) for c in audit.checks if c.passed is False],
        "points": [point.name for point in POINTS],
        "moves": sign_rows(_details(by_name, "actuators").get("rows", ())),
        "scores": scored.get("rows", ()),
        "price": scored.get("cost_price", 0.0),
        "score_figure": figures.score_figure(scored["rows"]) if scored else "",
        "episodes": episodes.details if episodes else {},
        "trajectories": [
            {
                "title": each.title,
                "ending": each.ending,
                "svg": figures.trajectory_figure(each),
            }
            for each in audit.trajectories
        ],
        "logged": [
            _log_row(row)
            for row in _details(by_name, "log_distribution").get("rows", ())
        ],
        "provenance": provenance,
    }


def _details(by_name: Mapping[str, Check], name: str) -> Mapping[str, Any]:
    return by_name[name].details if name in by_name else {}


def _check_row(check: Check) -> dict[str, str]:
    shape, word = STATUS[check.passed]
    return {
        "title": TITLES[check.name],
        "name": check.name,
        "shape": shape,
        "word": word,
        "tone": word.replace(" ", "-"),
        "figure": number(check.figure),
        "bound": number(check.bound),
        "unit": "" if check.unit == "1" else check.unit,
        "sentence": check.sentence,
    }


def number(value: float) -> str:
    """Return a figure as people write it; a dash where there is none."""
    if not math.isfinite(value):
        return "\u2013"
    if value == 0.0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}".replace("-", "\u2212")
    mantissa, _, power = f"{value:.1e}".partition("e")
    raised = str(int(power)).translate(SUPERSCRIPT)
    return f"{mantissa}\u00b710{raised}".replace("-", "\u2212")


def sign_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sign-and-size table by move, as the page prints it.

    Both ways stand in one row: the answer to a rise, then to a fall. The second
    hall's mirror is shown only where it is wrong.
    """
    moves: dict[tuple[str, float], dict[str, Any]] = {}
    for row in rows:
        is_wrong = row["verdict"] not in ("right", "not reached")
        if row["channel"].endswith("_hall2") and not is_wrong:
            continue
        move = moves.setdefault(
            (row["channel"], abs(row["change"])),
            {"channel": row["channel"], "changes": set(), "rows": {}, "still": set()},
        )
        move["changes"].add(row["change"])
        if row["wanted"] == 0 and not is_wrong:
            move["still"].add(row["quantity"])
            continue
        line = move["rows"].setdefault(row["quantity"], {**row, "cells": {}})
        line["cells"].setdefault(row["point"], []).append(row)
    return [_move(move) for move in moves.values()]


def _move(move: Mapping[str, Any]) -> dict[str, Any]:
    """Return one move with its cells as text."""
    up, down = (sorted(c for c in move["changes"] if c * way > 0) for way in (1, -1))
    size = f"{(up or down)[0]:+g}".replace("-", "\u2212")
    return {
        "heading": f"{move['channel']} \u00b1{up[0]:g}"
        if up and down
        else f"{move['channel']} {size}",
        "rows": [_line(line) for line in move["rows"].values()],
        "still": sorted(move["still"] - set(move["rows"])),
    }


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return one quantity of a move: its direction as the channel rises, its cells."""
    rises = line["wanted"] * (1.0 if line["change"] > 0 else -1.0)
    return {
        "arrow": "\u25b2" if rises > 0 else "\u25bc" if rises < 0 else "\u25cb",
        "quantity": line["quantity"],
        "unit": line["unit"] if line["unit"] != "1" else "",
        "least": line["least"],
        "most": line["most"],
        "reason": line["reason"],
        "cells": {point: _cell(rows) for point, rows in line["cells"].items()},
    }


def _cell(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return one cell: the change after a rise, then after a fall."""
    ways = {row["change"] > 0.0: _signed(row["found"]) for row in rows}
    wrong = [row["verdict"] for row in rows if row["verdict"] != "right"]
    text = " / ".join(ways.get(way, "\u2013") for way in (True, False))
    return {"text": text, "wrong": ", ".join(wrong)}


def _signed(value: float) -> str:
    text = f"{value:+.0f}" if abs(value) >= 99.5 else f"{value:+.2g}"
    return text.replace("-", "\u2212")


def _log_row(row: Mapping[str, Any]) -> dict[str, str]:
    def quantiles(values: Any) -> str:
        low, _, middle, _, high = values
        return f"{low:.4g} / {middle:.4g} / {high:.4g}".replace("-", "\u2212")

    share = row["distance"] / row["tolerance"]
    return {
        "point": row["point"],
        "unit": row["unit"],
        "logged": quantiles(row["logged"]),
        "simulated": quantiles(row["simulated"]),
        "distance": f"{row['distance']:.3g}",
        "tolerance": f"{row['tolerance']:.3g}",
        "share": f"{100.0 * share:.0f} %",
        "gap": f"{row['largest_gap']:.3f}",
        "tone": "failed" if share > 1.0 else "",
    }
