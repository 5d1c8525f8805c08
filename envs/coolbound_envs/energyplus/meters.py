"""One row of readings an interval: means, last values, extremes."""

from coolbound_envs.energyplus.hands import Hands
from coolbound_envs.energyplus.signals import FACILITY_METERS, signals
from coolbound_envs.energyplus.sizes import Sizes


class Meters:
    """Collects EnergyPlus' outputs over a control interval."""

    def __init__(self, hands: Hands, sizes: Sizes) -> None:
        """Ask for every output that is read.

        Args:
            hands: Of the run.
            sizes: Of the site.
        """
        self._hands = hands
        self._signals = signals(sizes)
        self._inlets = [name for name in self._signals if name.startswith("inlet")]
        hands.request(self._signals)
        self._clear()

    def _clear(self) -> None:
        self._sums = dict.fromkeys(self._signals, 0.0)
        self._seconds = self._energy = 0.0
        self._hottest = float("-inf")

    def add(self, seconds: float) -> None:
        """Add one system timestep of that length."""
        self._seconds += seconds
        for name, signal in self._signals.items():
            if signal.is_mean:
                self._sums[name] += seconds * self._hands.read(signal)

    def add_zone_step(self) -> None:
        """Add what EnergyPlus knows once a zone timestep."""
        self._energy += sum(self._hands.meter(name) for name in FACILITY_METERS)
        hottest = max(self._hands.read(self._signals[name]) for name in self._inlets)
        self._hottest = max(self._hottest, hottest)

    def take(self) -> dict[str, float]:
        """Return the interval's readings, SI units, and begin the next."""
        row = {
            name: self._sums[name] / self._seconds
            if signal.is_mean
            else self._hands.read(signal)
            for name, signal in self._signals.items()
        }
        row["inlet_max"] = self._hottest
        row["facility_power"] = self._energy / self._seconds
        self._clear()
        return row
