"""The opponents that need nothing but the observation, by name."""

from coolbound_envs.types import Controller
from coolbound_safety.red_team.chance import Ends, NoNumber, OneChannel, Uniform, Walk
from coolbound_safety.red_team.malice import (
    CORNERS,
    SHIVER,
    WARM_THEN_LOAD,
    Alternate,
    Corner,
    ParkAndSpring,
    StarveOnRise,
)


def opponents() -> dict[str, Controller]:
    """Return every opponent that is not made of another controller."""
    return {
        "uniform": Uniform(),
        "walk": Walk(),
        "ends": Ends(),
        "slow ends": Ends(chance=0.04),
        "one channel": OneChannel(),
        "no number": NoNumber(),
        **{name: Corner(proposal) for name, proposal in CORNERS.items()},
        "off and on": Alternate(CORNERS["all off"], CORNERS["cold"], 6),
        "flutter": Alternate(CORNERS["hot"], CORNERS["cold"], 1),
        "cycle machines": Alternate(*SHIVER, 1),
        "warm then load": Alternate(*WARM_THEN_LOAD, 12),
        "park and spring": ParkAndSpring(),
        "starve on rise": StarveOnRise(),
    }
