"""Tables of the page: cells with text and tone, which the template places."""

from typing import Final

from coolbound.evaluation.cells import (
    DASH,
    Cell,
    alarm,
    cell,
    count,
    number,
    percent_cell,
)
from coolbound.evaluation.shown import (
    Data,
    Shown,
    difference,
    greatest,
    mean,
    shown,
    total,
)
from coolbound.evaluation.texts import worse_places
from coolbound_envs.spec import CHANNELS
from coolbound_shadow.report_rows import title


def answer_rows(data: Data) -> list[list[Cell]]:
    """Return one row for each contender: energy, limits, comfort, interventions."""
    rows = []
    for row in shown(data):
        worse = worse_places(data, row)
        found = difference(data, row, data["baseline"])
        rows.append(
            [
                cell(row.name + (f" ({len(row.members)} seeds)" * row.is_group)),
                cell(number(mean(data, row, "cooling_energy_21_kwh") / 1e3)),
                percent_cell(found),
                percent_cell(difference(data, row, data["baseline"], "")),
                cell(DASH) if found is None else count(len(worse), "limit"),
                alarm(total(data, row, "violation_steps")),
                _hottest(greatest(data, row, "worst_inlet_c")),
                rate_cell(data, row),
            ]
        )
    return rows


def _hottest(value: float) -> Cell:
    return cell(number(value, 2), "violated" if value > 27.0 else "")


def rate_cell(data: Data, row: Shown) -> Cell:
    """Return the share of proposals that were changed; a dash for a bare rule."""
    rate = 100.0 * mean(data, row, "intervention_rate")
    return cell(f"{number(rate)} %" if row.is_guarded else DASH)


def place_rows(data: Data) -> list[list[Cell]]:
    """Return one row for each place: the baseline's energy, the others' difference.

    The last one is the plain mean over the places, each counted alike.
    """
    base, others = data["baseline"], _others(data)
    rows = []
    for name, part in data["cities"].items():
        energy = part["controllers"][base]["cooling_energy_21_kwh"] / 1e3
        found = [difference(part, row, base) for row in others]
        rows.append([cell(name), cell(number(energy))])
        rows[-1] += [percent_cell(each, True) for each in found]
    means = [
        sum(data["paired"][name]["mean_of_places"] for name in row.members)
        / len(row.members)
        for row in others
    ]
    return [
        *rows,
        [
            cell("mean of places"),
            cell(""),
            *(cell(f"{number(x)} %", "limit" * (x < 0.0)) for x in means),
        ],
    ]


def _others(data: Data) -> list[Shown]:
    return [row for row in shown(data) if data["baseline"] not in row.members]


def versus_rows(data: Data) -> list[list[Cell]]:
    """Return one row for each learner: less cooling energy than each rule."""
    rows = []
    for row in shown(data):
        cells = [
            percent_cell(difference({"paired": pairs}, row, rule))
            for rule, pairs in data["versus"].items()
            if rule not in row.members
        ]
        if row.is_learned and cells:
            rows.append([cell(row.name), *cells])
    return rows


ENERGY: Final = (
    ("Facility MWh", "total_energy_kwh", 1e-3, 1),
    ("Cooling MWh", "cooling_energy_21_kwh", 1e-3, 1),
    ("without extra IT MWh", "cooling_energy_kwh", 1e-3, 1),
    ("MLC", "mlc_21", 1.0, 4),
    ("PUE", "pue", 1.0, 4),
    ("WUE L/kWh", "wue", 1.0, 3),
    ("Water m\u00b3", "water_l", 1e-3, 0),
    ("Peak kW", "peak_power_kw", 1.0, 0),
)
"""Columns of the energy table: heading, figure, factor, decimals."""


def energy_rows(data: Data) -> list[list[Cell]]:
    """Return one row for each contender with its energies and ratios."""
    return [
        [
            cell(row.name),
            *(
                cell(number(factor * mean(data, row, name), decimals))
                for _, name, factor, decimals in ENERGY
            ),
        ]
        for row in shown(data)
    ]


def wear_rows(data: Data) -> list[list[Cell]]:
    """Return one row for each contender: warmth, starts and how far set-points move."""
    places_days = len(data["places"]) * data["days"]
    rows = []
    for row in shown(data):
        starts = mean(data, row, "chiller_starts") / places_days
        travel = [mean(data, row, "actuator_travel", c.name) for c in CHANNELS]
        warm = [mean(data, row, "degree_minutes_above", at) for at in ("25", "27")]
        rows.append(
            [
                cell(row.name),
                cell(number(warm[0])),
                cell(number(warm[1], 2), "limit" if warm[1] > 0.0 else ""),
                cell(number(starts, 2)),
                *(
                    cell(number(moved, 2 if channel.unit == "1" else 1))
                    for moved, channel in zip(travel, CHANNELS, strict=True)
                ),
            ]
        )
    return rows


def channel_heads() -> list[str]:
    """Return the headings of the channels, each with its unit."""
    return [
        title(channel.name) + (f" [{channel.unit}]" if channel.unit != "1" else "")
        for channel in CHANNELS
    ]
