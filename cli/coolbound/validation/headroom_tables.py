"""The headroom section's tables, from the cases of all cities."""

from collections.abc import Sequence
from typing import Any

from coolbound.console import table
from coolbound.validation.headroom import (
    PUBLISHED_CASES,
    Case,
    CityHeadroom,
    Held,
    published_of,
)


def mlc_table(cities: Sequence[CityHeadroom]) -> str:
    """Return MLC of every case, one row for each city."""
    first = cities[0]
    header = (
        "city",
        *(f"{name} running" for name in first.running),
        *(f"{name} at rest" for name in first.rest),
        *first.optimum,
    )
    rows = [
        (
            city.city,
            *(_mlc(city.running[name]) for name in first.running),
            *(_mlc(city.rest[name]) for name in first.rest),
            *(_mlc(city.optimum[name]) for name in first.optimum),
        )
        for city in cities
    ]
    return table(header, rows)


def _mlc(case: Case) -> str:
    return f"{case.mlc:.4f}" + (f" ({case.unsolved} h)" if case.unsolved else "")


def gain_table(cities: Sequence[CityHeadroom]) -> str:
    """Return what the optima leave of the operators, one row for each city."""
    header = (
        "city",
        "opt 22 vs g36 22 running",
        "opt 24 vs g36 24 running",
        "fixed pumps",
        "either mode",
        "opt <= 25",
        "opt 24 vs g36 24 at rest",
        "g36 24 vs legacy running",
        "no chiller %: g36 24, opt 24",
    )
    return table(header, [_gains(city) for city in cities])


def _gains(city: CityHeadroom) -> tuple[str, ...]:
    running, best = city.running, city.optimum
    base = running["g36 24"]
    return (
        city.city,
        _gain(best["opt 22"], running["g36 22"]),
        _gain(best["opt 24"], base),
        _gain(best["opt 24, fixed pumps"], base),
        _gain(best["opt 24, either mode"], base),
        _gain(best["opt <= 25"], base),
        _gain(best["opt 24"], city.rest["g36 24"]),
        _gain(base, running["legacy"]),
        f"{100 * base.free:.0f}, {100 * best['opt 24'].free:.0f}",
    )


def _gain(case: Case, base: Case) -> str:
    return f"{100 * (case.mlc / base.mlc - 1.0):+.0f} %"


def held_together(cities: Sequence[CityHeadroom]) -> dict[str, Any]:
    """Return the holds of all cities as one."""
    held: list[Held] = [city.held for city in cities]
    broken: dict[str, int] = {}
    for one in held:
        for name, count in one.violations.items():
            broken[name] = broken.get(name, 0) + count
    return {
        "hours": sum(one.hours for one in held),
        "power_worst": max(one.power_worst for one in held),
        "violations": ", ".join(f"{n} in {c} hours" for n, c in broken.items()),
    }


def difference_table(cities: Sequence[CityHeadroom]) -> str:
    """Return the specification's figures and ours, its cities only."""
    rows: list[tuple[str, ...]] = []
    for city in cities:
        if not city.published:
            continue
        wanted = published_of(city.city)
        own = {**city.rest, **city.optimum}
        rows += [
            (f"{city.city}: specification", *_row(wanted.values(), ".4f")),
            (
                f"{city.city}: its simplifications here",
                *_row((city.published[k].mlc for k in wanted), ".4f"),
            ),
            (
                f"{city.city}: off by, %",
                *_row(
                    (100 * (city.published[k].mlc / v - 1) for k, v in wanted.items()),
                    "+.1f",
                ),
            ),
            (
                f"{city.city}: this plant at rest",
                *_row((own[k].mlc for k in wanted), ".4f"),
            ),
            (
                f"{city.city}: running",
                *(
                    f"{city.running[k].mlc:.4f}" if k in city.running else "-"
                    for k in wanted
                ),
            ),
        ]
    return table(("MLC", *PUBLISHED_CASES), rows) if rows else ""


def _row(values: Any, form: str) -> list[str]:
    return [f"{value:{form}}" for value in values]


def gaps(city: CityHeadroom) -> dict[str, Any]:
    """Return what separates this plant from the simplified one, in MLC [1]."""
    rest, best, plain = city.rest, city.optimum, city.published
    running, optimum = city.running["g36 24"], best["opt 24"]
    spent = {k: v - optimum.shares[k] for k, v in running.shares.items()}
    ordered = sorted(spent, key=lambda name: -spent[name])
    return {
        "lift": rest["g36 24"].mlc - plain["g36 24"].mlc,
        "servers": optimum.mlc - plain["opt 24"].mlc,
        "together": optimum.mlc - best["opt 24, either mode"].mlc,
        "pumps": optimum.mlc - best["opt 24, fixed pumps"].mlc,
        "running": running.mlc - rest["g36 24"].mlc,
        "consumers": ", ".join(
            f"{name.replace('_', ' ')} {spent[name]:+.4f}" for name in ordered
        ),
    }
