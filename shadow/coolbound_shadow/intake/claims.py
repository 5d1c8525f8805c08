"""Several columns that speak of one point of coolbound: which of them become it."""

import dataclasses
import re
from collections.abc import Sequence

from coolbound_shadow.intake.guess_points import PointGuess
from coolbound_shadow.intake.map_points import SPEC_UNITS, SUMMED
from coolbound_shadow.intake.roles import role_of
from coolbound_shadow.intake.words import plain


def settle(points: Sequence[PointGuess]) -> list[PointGuess]:
    """Return the guesses with at most one claim on each point of coolbound.

    Machines of one kind, told apart by a number only, all count: their powers and
    flows are summed, their temperatures averaged. Of others the first one with a unit
    stays, and the map says what else would do.
    """
    claims: dict[str, list[PointGuess]] = {}
    for point in points:
        if point.feeds:
            claims.setdefault(point.feeds, []).append(point)
    losers: dict[str, str] = {}
    for rivals in claims.values():
        kept = _kept(rivals)
        for loser in rivals:
            if loser not in kept:
                losers[loser.id] = kept[0].name
    return [_lost(p, losers[p.id]) if p.id in losers else p for p in points]


def _kept(rivals: Sequence[PointGuess]) -> list[PointGuess]:
    families: dict[str, list[PointGuess]] = {}
    for rival in rivals:
        family = re.sub(r"[\d\W_]+", " ", plain(rival.name)).strip()
        families.setdefault(family, []).append(rival)
    ranked = sorted(families.values(), key=_weight)
    best = ranked[0]
    is_summed = SPEC_UNITS[best[0].feeds] in SUMMED
    is_numbered = all(re.search(r"\d", p.name) for p in best)
    return best if len(best) == 1 or is_numbered or is_summed else best[:1]


def _weight(family: Sequence[PointGuess]) -> tuple[int, int]:
    first = family[0]
    return len(first.doubts) + len(first.suspects), -len(family)


def _lost(point: PointGuess, winner: str) -> PointGuess:
    doubt = f"{point.name!r} speaks of {point.feeds!r} too, as {winner!r} does: which?"
    return dataclasses.replace(
        point,
        feeds="",
        role=role_of("", "", (point.name,), point.name),
        doubts=(*point.doubts, doubt),
    )
