"""MLC, PUE and WUE of a year against the bands that are documented for them."""

import dataclasses

import numpy as np

from coolbound.validation.years import Account
from coolbound_envs.constants import EVAPORATION_HEAT

BANDS = {"mlc": (0.07, 0.17), "pue": (1.07, 1.17), "wue": (1.5, 2.3)}
"""Plant reference, section 5; WUE in litres of make-up water per kWh of IT."""


@dataclasses.dataclass(frozen=True)
class YearFigures:
    """One operator's year in one city. Static.

    Attributes:
        city: Its name.
        operator: Its name.
        wet_bulb: Mean of the year. [degC]
        free: Share of hours without a chiller. [1]
        mlc: Mechanical over IT energy. [1]
        pue: Facility over IT energy. [1]
        wue: Make-up water over IT energy. [L/kWh]
        rejected: Heat rejected over IT energy. [1]
        latent: Share of that heat that evaporated water. [1]
        fans: CRAH fans over IT energy. [1]
        pumps: Condenser pumps over IT energy. [1]
        inlet: Hottest inlet. [degC]
        starts: Of chillers. [1]
        violations: Steps above a limit, all limits together. [1]
    """

    city: str
    operator: str
    wet_bulb: float
    free: float
    mlc: float
    pue: float
    wue: float
    rejected: float
    latent: float
    fans: float
    pumps: float
    inlet: float
    starts: int
    violations: int

    @property
    def outside(self) -> tuple[str, ...]:
        """Names of the figures outside their band."""
        return tuple(
            name
            for name, (low, high) in BANDS.items()
            if not low <= getattr(self, name) <= high
        )


def water_of_latent_heat(concentration: float) -> float:
    """Return make-up water over latent heat at some cycles of concentration [L/kWh].

    CoC / (CoC - 1) / heat of evaporation: evaporation and blowdown.
    """
    return concentration / (concentration - 1.0) * 3.6e6 / EVAPORATION_HEAT


def year_figures(
    city: str, operator: str, account: Account, wet_bulb: float, concentration: float
) -> YearFigures:
    """Return the figures of one account.

    Args:
        city: Its name.
        operator: Its name.
        account: Whole days.
        wet_bulb: Mean of the city's weather. [degC]
        concentration: Cycles of concentration: make-up is E CoC / (CoC - 1). [1]
    """
    it = float(np.sum(account.it))
    mechanical = float(np.sum(account.mechanical))
    water, rejected = float(np.sum(account.water)), float(np.sum(account.rejected))
    evaporated = water * (concentration - 1.0) / concentration
    return YearFigures(
        city=city,
        operator=operator,
        wet_bulb=wet_bulb,
        free=float(np.mean(account.running < 0.5)),
        mlc=mechanical / it,
        pue=1.0 + mechanical / it,
        # kg/s over W: 3.6e6 J to the kWh, 1 kg to the litre.
        wue=3.6e6 * water / it,
        rejected=rejected / it,
        latent=evaporated * EVAPORATION_HEAT / rejected,
        fans=float(np.sum(account.power["crah"])) / it,
        pumps=float(np.sum(account.power["cw_pump"])) / it,
        inlet=float(np.max(account.inlet)),
        starts=round(float(np.sum(account.starts))),
        violations=round(float(np.sum(account.violations))),
    )
