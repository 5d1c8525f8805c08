"""A part of the plant: its meter, its parameters, and the plant functions it calls."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import final

import jax

from coolbound_envs.params import PlantParams
from coolbound_shadow.calibration.samples import Rows, Sample

Inputs = Mapping[str, jax.Array]
Apply = Callable[[PlantParams, jax.Array, jax.Array], PlantParams]
"""(plant, parameters, anchors) to the plant with these parameters."""

Predict = Callable[[PlantParams, jax.Array, Inputs], jax.Array]
"""(plant with the parameters applied, parameters, inputs) to what the meter reads."""

Collect = Callable[[Rows], Sample]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One number that is fitted. Static.

    Attributes:
        name: For people.
        nominal: That of the site file as it stands. [the parameter's unit]
        lower: Least value tried. [the parameter's unit]
        upper: Largest value tried. [the parameter's unit]
        tolerance: A 95 % interval of at most this half-width counts as known.
            [the parameter's unit]
        unit: As printed.
        keys: What it changes in the site file; none if the plant has no such key.
        channels: Set-points whose effect in the model rests on it.
    """

    name: str
    nominal: float
    lower: float
    upper: float
    tolerance: float
    unit: str = "1"
    keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the plant. Static.

    Attributes:
        name: Short name.
        title: For people.
        meter: What is compared.
        unit: Unit of the meter.
        parameters: Its parameters at a plant's present constants; the first is the
            last to be given up.
        collect: Reads the log.
        apply: Puts parameters into the plant.
        predict: What the meter would read.
        systematic: Error of the reading that rows do not average out, share of its
            mean. [1]
        needs: Points and channels that it cannot do without.
        anchors: Inputs about whose training medians slopes turn.
        is_power: True where the meter is electric power of the cooling plant.
        is_sound: Whether a plant's constants behave as such a machine must.
    """

    name: str
    title: str
    meter: str
    unit: str
    parameters: Callable[[PlantParams], tuple[Parameter, ...]]
    collect: Collect
    apply: Apply
    predict: Predict
    systematic: float = 0.01
    needs: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    is_power: bool = False
    is_sound: Callable[[PlantParams], bool] | None = None


def scale_parameter(
    name: str,
    lower: float,
    upper: float,
    tolerance: float,
    keys: tuple[str, ...],
    channels: tuple[str, ...] = (),
) -> Parameter:
    """Return a factor on what the site file says."""
    return Parameter(name, 1.0, lower, upper, tolerance, "1", keys, channels)


@final
@dataclasses.dataclass(frozen=True)
class Factor:
    """A part of which one constant of the plant is fitted, by a factor. Static.

    Attributes:
        parameter: The factor; its one key names section and constant.
    """

    parameter: Parameter

    def parameters(self, plant: PlantParams) -> tuple[Parameter, ...]:
        """Return the factor."""
        return (self.parameter,)

    def apply(
        self, plant: PlantParams, values: jax.Array, anchors: jax.Array
    ) -> PlantParams:
        """Return the plant with its constant times the factor."""
        (key,) = self.parameter.keys
        name, constant = key.split(".")
        section = getattr(plant, name)
        scaled = {constant: getattr(section, constant) * values[0]}
        changed = {name: dataclasses.replace(section, **scaled)}
        return dataclasses.replace(plant, **changed)
