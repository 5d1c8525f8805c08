"""What is broken in the plant during one control interval."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import CHILLERS, HALLS


@struct.dataclass
class PlantFaults:
    """Plant equipment out of order during one interval. Dynamic.

    Hall and chiller fields have a leading axis of halls or chillers.

    Attributes:
        chiller_tripped: 1 where a machine is held off, (chillers,). [1]
        crah_lost: Share of a hall's CRAH units out of order, (halls,). [1]
        valve_stuck: 1 where a hall's coil valve stays where it is, (halls,). [1]
        chw_pump_lost: Share of the chilled-water pumps out of order. [1]
        cw_pump_lost: Share of the condenser pumps out of order. [1]
        tower_cell_lost: Share of the tower cells out of order. [1]
        power_lost: Time without utility power, from the interval's beginning.
            Servers run on; fans, pumps and chillers stop. [s]
    """

    chiller_tripped: jax.Array
    crah_lost: jax.Array
    valve_stuck: jax.Array
    chw_pump_lost: jax.Array
    cw_pump_lost: jax.Array
    tower_cell_lost: jax.Array
    power_lost: jax.Array


def no_faults(shape: tuple[int, ...] = ()) -> PlantFaults:
    """Return a plant in order, for a batch of that shape."""

    def none(*head: int) -> jax.Array:
        return jnp.zeros((*head, *shape), jnp.float32)

    return PlantFaults(
        chiller_tripped=none(CHILLERS),
        crah_lost=none(HALLS),
        valve_stuck=none(HALLS),
        chw_pump_lost=none(),
        cw_pump_lost=none(),
        tower_cell_lost=none(),
        power_lost=none(),
    )
