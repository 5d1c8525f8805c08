"""Reading and moving EnergyPlus from inside a callback, by handle."""

from collections.abc import Mapping
from typing import Any

from coolbound_envs.energyplus.signals import Signal

Target = tuple[str, str, str]
"""Component type, control type and object of an actuator."""


class Hands:
    """Outputs and actuators of one run; handles are found on first use.

    A name that EnergyPlus does not know is an error, never a zero.
    """

    def __init__(self, exchange: Any, state: Any) -> None:
        """Keep the exchange of a run.

        Args:
            exchange: `pyenergyplus.datatransfer.DataExchange`.
            state: Of the run.
        """
        self._exchange, self._state = exchange, state
        self._outputs: dict[tuple[str, str], int] = {}
        self._actuators: dict[Target, int] = {}
        self._meters: dict[str, int] = {}
        self._variables: dict[str, int] = {}

    def request(self, signals: Mapping[str, Signal]) -> None:
        """Ask for outputs before the run begins."""
        for signal in signals.values():
            self._exchange.request_variable(self._state, signal.variable, signal.key)

    def read(self, signal: Signal) -> float:
        """Return the present value of an output.

        Raises:
            LookupError: EnergyPlus has no such output.
        """
        key = (signal.variable, signal.key)
        if key not in self._outputs:
            handle = self._exchange.get_variable_handle(self._state, *key)
            self._outputs[key] = _known(handle, "output", key)
        return self._exchange.get_variable_value(self._state, self._outputs[key])

    def meter(self, name: str) -> float:
        """Return a meter's energy of the last zone timestep [J].

        Raises:
            LookupError: EnergyPlus has no such meter.
        """
        if name not in self._meters:
            handle = self._exchange.get_meter_handle(self._state, name)
            self._meters[name] = _known(handle, "meter", (name,))
        return self._exchange.get_meter_value(self._state, self._meters[name])

    def move(self, target: Target, value: float) -> None:
        """Set an actuator; it holds until it is moved again.

        Raises:
            LookupError: EnergyPlus has no such actuator.
        """
        self._exchange.set_actuator_value(self._state, self._handle(target), value)

    def release(self, target: Target) -> None:
        """Give an actuator back to EnergyPlus' own control."""
        self._exchange.reset_actuator(self._state, self._handle(target))

    def hold(self, schedule: str, value: float) -> None:
        """Set a constant schedule."""
        self.move(("Schedule:Constant", "Schedule Value", schedule), value)

    def tell(self, variable: str, value: float) -> None:
        """Set a global variable of the model's own programs.

        Raises:
            LookupError: The model has no such variable.
        """
        if variable not in self._variables:
            handle = self._exchange.get_ems_global_handle(self._state, variable)
            self._variables[variable] = _known(handle, "variable", (variable,))
        self._exchange.set_ems_global_value(
            self._state, self._variables[variable], value
        )

    def _handle(self, target: Target) -> int:
        if target not in self._actuators:
            handle = self._exchange.get_actuator_handle(self._state, *target)
            self._actuators[target] = _known(handle, "actuator", target)
        return self._actuators[target]


def _known(handle: int, what: str, key: tuple[str, ...]) -> int:
    if handle < 0:
        raise LookupError(f"EnergyPlus has no {what} {' / '.join(key)}")
    return handle
