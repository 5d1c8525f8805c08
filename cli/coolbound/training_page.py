"""`training.html`: one file about a run, offline; the costs come first."""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from coolbound_envs.accounts import REWARD_POWER

Row = Mapping[str, float]


def render(
    rows: Sequence[Row],
    manifest: Mapping[str, Any],
    data: Mapping[str, Any],
    svg: bytes,
) -> str:
    """Return the page.

    Args:
        rows: Lines of `metrics.csv`, oldest first.
        manifest: Of the policy that the run left.
        data: What `coolbound train` answers.
        svg: The picture of the run.
    """
    folder = resources.files("coolbound") / "templates"
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = (folder / "training.html.j2").read_text(encoding="utf-8")
    context = {
        "manifest": manifest,
        "data": data,
        "facts": _facts(rows[-1]),
        "costs": [_cost(rows, name, data) for name in data["cost_limits"]],
        "settings": _settings(manifest),
        "picture": Markup(_inline(svg)),
    }
    return environment.from_string(source).render(context)


def _facts(last: Row) -> list[tuple[str, str]]:
    """Return what the last update saw, while exploring."""
    power = last["power"] * REWARD_POWER / 1e3
    return [
        ("updates", f"{last['update']:,.0f} of {last['updates']:,.0f}"),
        ("environment steps", f"{last['steps']:,.0f}"),
        ("reward of a step", f"{last['reward']:.3f}"),
        ("facility power above the IT work", f"{power:,.1f} kW"),
        ("steps with an intervention", f"{100.0 * last['intervention']:.1f} %"),
    ]


def _cost(rows: Sequence[Row], name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    last, limit = rows[-1], data["cost_limits"][name]
    within = sum(row[f"cost_{name}"] <= limit for row in rows) / len(rows)
    return {
        "name": name,
        "cost": f"{last[f'cost_{name}']:.4f}",
        "limit": f"{limit:g}",
        "is_over": last[f"cost_{name}"] > limit,
        "multiplier": f"{last[f'multiplier_{name}']:.3f}",
        "within": f"{100.0 * within:.0f} %",
        "is_unmet": name in data["unmet"],
    }


def _settings(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every hyper-parameter with its default; those that differ stand out."""
    from coolbound_controllers.algorithms import ALGORITHMS

    first = dataclasses.asdict(ALGORITHMS[manifest["algorithm"]].settings())
    return [
        {
            "name": name,
            "value": _text(value),
            "default": _text(first[name]),
            "is_changed": _text(value) != _text(first[name]),
        }
        for name, value in manifest["hyperparameters"].items()
    ]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _inline(svg: bytes) -> str:
    """Return a picture without the lines that only a file of its own needs."""
    text = svg.decode()
    return text[text.index("<svg") :]
