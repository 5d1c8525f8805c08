"""The summary of the validation page: every promise, its figure and its verdict."""

import numpy as np

from coolbound.validation import bands, chillers, convergence, physics, tower
from coolbound.validation import headroom as head
from coolbound.validation.evidence import Evidence
from coolbound.validation.verdicts import NO_BOUND, NOT_JUDGED, Finding, judged


def findings(evidence: Evidence) -> list[Finding]:
    """Return every row of the summary."""
    return [
        *_closure(evidence),
        *_components(evidence),
        *_dynamics(evidence),
        *_convergence(evidence),
        *_bands(evidence),
        *_headroom(evidence),
        *_engines(evidence),
    ]


def _closure(evidence: Evidence) -> list[Finding]:
    plan = evidence.plan
    return [
        Finding(
            f"Energy closes over {plan.days} days",
            f"{evidence.closure:.1e} of the heat, the worst of {evidence.accounts} "
            "accounts",
            f"{physics.CLOSURE_BOUND:g}",
            judged(evidence.closure < physics.CLOSURE_BOUND, plan.is_whole),
        )
    ]


def _components(evidence: Evidence) -> list[Finding]:
    rows = []
    for place, band in enumerate(evidence.towers):
        is_gate = place == 0
        rows.append(
            Finding(
                f"Tower approach against YorkCalc, wet bulb {band.low:g} to "
                f"{band.high:g} degC",
                f"{band.worst:.2f} K at most, {band.rms:.2f} K rms",
                f"{tower.BOUND:g} K" if is_gate else "none: the two part there",
                judged(band.worst <= tower.BOUND) if is_gate else NO_BOUND,
            )
        )
    rows += [
        Finding(
            f"COP of `{machine.name}` against its record",
            f"{machine.rms:.2f} % rms, {machine.worst:.1f} % at most",
            f"{chillers.BOUND:g} % rms",
            judged(machine.rms <= chillers.BOUND),
        )
        for machine in evidence.chillers
    ]
    return rows


def _dynamics(evidence: Evidence) -> list[Finding]:
    rates, rate = evidence.warming.rates, physics.ADIABATIC_RATE
    off = float(np.max(np.abs(rates / rate - 1.0)))
    low, high = physics.TIME_CONSTANT
    rows = [
        Finding(
            "Loss of cooling at full load, fans on",
            f"{rates.min():.2f} to {rates.max():.2f} K/min",
            f"{rate:g} K/min ± {100 * physics.ADIABATIC_SHARE:.0f} %",
            judged(off <= physics.ADIABATIC_SHARE),
        )
    ]
    for load, minutes, share in evidence.steps:
        found = physics.time_constant(minutes, share)
        is_judged = load > physics.TIME_CONSTANT_LOADS[0]
        rows.append(
            Finding(
                f"Server time constant at {100 * load:.0f} % load",
                f"{found:.1f} min",
                f"{low:g} to {high:g} min" if is_judged else "none: less air, slower",
                judged(low <= found <= high) if is_judged else NO_BOUND,
            )
        )
    return rows


def _convergence(evidence: Evidence) -> list[Finding]:
    found, whole = evidence.convergence, evidence.plan.is_whole
    energy = max(abs(found.facility), abs(found.cooling))
    return [
        Finding(
            "Steps of 30 s against 5 s: inlets, all intervals",
            f"{found.inlet_rms:.3f} K rms",
            f"{convergence.INLET_BOUND:g} K",
            judged(found.inlet_rms <= convergence.INLET_BOUND, whole),
        ),
        Finding(
            "the same, largest 15 min after any change of machines",
            f"{found.inlet_worst_quiet:.2f} K",
            "none",
            NO_BOUND,
        ),
        Finding(
            "the same: facility and mechanical energy",
            f"{abs(found.facility):.2g} % and {abs(found.cooling):.2g} %",
            f"{convergence.POWER_BOUND:g} %",
            judged(energy <= convergence.POWER_BOUND, whole),
        ),
    ]


def _bands(evidence: Evidence) -> list[Finding]:
    rows = []
    for name, (low, high) in bands.BANDS.items():
        values = [getattr(year, name) for year in evidence.years]
        outside = [year for year in evidence.years if name in year.outside]
        digits = ".2f" if name == "wue" else ".3f"
        rows.append(
            Finding(
                f"{name.upper()} of a year, {len(values)} years in "
                f"{len(evidence.plan.cities)} cities",
                f"{min(values):{digits}} to {max(values):{digits}}; "
                f"{len(values) - len(outside)} of {len(values)} within",
                f"{low:g} to {high:g}" + (" L/kWh" if name == "wue" else ""),
                judged(not outside, evidence.plan.is_whole),
            )
        )
    return rows


def _headroom(evidence: Evidence) -> list[Finding]:
    whole, cities = evidence.plan.is_whole, evidence.headroom
    ordered = [city.city for city in cities if head.has_order(city)]
    sizes = {c.city: e for c in cities if (e := head.size_error(c)) is not None}
    held = [city.held for city in cities]
    broken = sum(sum(h.violations.values()) for h in held)
    modes = sum(h.modes for h in held)
    rows = [
        Finding(
            "Order of `legacy`, `g36` and optimum as in the reference",
            f"{len(ordered)} of {len(cities)} cities",
            "all",
            judged(len(ordered) == len(cities), whole),
        ),
        Finding(
            "Optima held in the plant for twelve hours: limits broken",
            f"{broken} in {sum(h.hours for h in held)} optima; {modes} came to rest "
            "in another mode",
            "0",
            judged(broken == modes == 0, whole),
        ),
        Finding(
            "the same: mechanical power against the equations at rest",
            f"{max(h.power_worst for h in held):.2f} % at most",
            "1 %, our own",
            judged(max(h.power_worst for h in held) <= 1.0, whole),
        ),
    ]
    if sizes:
        rows.insert(
            1,
            Finding(
                "Size of MLC with the reference's simplifications, " + ", ".join(sizes),
                f"{100 * max(sizes.values()):.1f} % off its table at most",
                f"{100 * head.SIZE_BOUND:.0f} %, our own",
                judged(max(sizes.values()) <= head.SIZE_BOUND, whole),
            ),
        )
    return rows


def _engines(evidence: Evidence) -> list[Finding]:
    found = evidence.engines
    if not found.rows:
        measured, verdict = "not run", NOT_JUDGED
    else:
        measured = f"{found.agreeing} of {len(found.rows)} signs agree"
        verdict = judged(found.agreeing == len(found.rows))
    return [
        Finding(
            "Direction of every response of power as in EnergyPlus",
            measured,
            "all",
            verdict,
        )
    ]
