"""Roles of points, and the point of coolbound that a name or a tag speaks of.

A role is one of `ROLES`, or the plain text of a Brick class or of Haystack tags:
`Leaving_Chilled_Water_Temperature_Sensor`, `chilled water leaving temp sensor`.
"""

from coolbound_envs.spec import CHANNEL_NAMES, HALLS, POINT_NAMES, ZONES
from coolbound_envs.tables import InputError
from coolbound_shadow.intake.map_types import ROLES
from coolbound_shadow.intake.words import Target, concepts, place_of, targets


def speaks_of(found: frozenset[str]) -> list[Target]:
    """Return the targets whose concepts are all there, the particular ones first."""
    return [t for t in targets() if t.needs <= found and not t.bars & found]


def feed_of(text: str, name: str = "") -> str:
    """Return the point or channel that a text speaks of; empty for none.

    Args:
        text: A name, a Brick class or Haystack tags.
        name: Where the number of a hall or zone may stand instead.
    """
    found = speaks_of(concepts(text))
    return placed(found[0].name, f"{text} {name}") if found else ""


def placed(target: str, text: str) -> str:
    """Return the spec's name of a target; empty where its hall is not said."""
    if not target.endswith(("_hall", "_hall_zone")):
        return target
    base = target.removesuffix("_zone").removesuffix("_hall")
    hall, zone = place_of(text, "hall"), place_of(text, "zone")
    if not 1 <= hall <= HALLS:
        return ""
    if not target.endswith("_zone"):
        return f"{base}_hall{hall}"
    return f"{base}_hall{hall}_zone{zone}" if 1 <= zone <= ZONES else ""


def role_of(said: str, feeds: str, tags: tuple[str, ...], where: str) -> str:
    """Return the role of a point.

    Args:
        said: What the map says; empty for nothing.
        feeds: What the point becomes; empty for nothing.
        tags: Brick class and Haystack tags.
        where: Place in the map, for messages.

    Raises:
        InputError: The text is no role and no tag, or does not fit what it feeds.
    """
    if said in ROLES:
        _check(said, feeds, where)
        return said
    found = concepts(" ".join((said, *tags)))
    if said and not found:
        raise InputError(
            f"{where}: found {said!r}, expected one of {', '.join(ROLES)}, a Brick "
            "class or Haystack tags; correct it"
        )
    return _natural(feeds, found)


def _natural(feeds: str, found: frozenset[str]) -> str:
    if feeds in CHANNEL_NAMES or (not feeds and found & {"setpoint", "command"}):
        return "act"
    if feeds.endswith("_running") or (not feeds and "status" in found):
        return "status"
    if feeds.endswith("_power") or (not feeds and found & {"power", "energy"}):
        return "meter"
    is_outdoor = feeds.startswith("outdoor") or (not feeds and "outdoor" in found)
    return "context" if is_outdoor else "obs"


def _check(role: str, feeds: str, where: str) -> None:
    if role == "act" and feeds in POINT_NAMES:
        raise InputError(
            f"{where}: found 'act' and feeds = {feeds!r}, expected a channel there; "
            "correct `role` or `feeds`"
        )
    if role != "act" and feeds in CHANNEL_NAMES:
        raise InputError(
            f"{where}: found {role!r} and feeds = {feeds!r}, expected 'act' for what "
            "the operator applied; correct `role` or `feeds`"
        )
