"""Objects of an epJSON model: what recurs in halls and loops.

epJSON: {object type: {object name: {field: value}}}, EnergyPlus Input Output
Reference. Field names are those of the schema, units SI.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Fields = dict[str, Any]
Component = tuple[str, str, str, str]
"""Object type, name, inlet node, outlet node."""

ALWAYS = "Always"
"""Schedule that is 1."""

PIPE = "Pipe:Adiabatic"
VERSION = "25.2"
"""Of the input format."""


class Model:
    """A model that grows object by object."""

    def __init__(self) -> None:
        """Begin empty."""
        self.objects: dict[str, dict[str, Fields]] = {}

    def add(self, kind: str, name: str, /, **fields: Any) -> None:
        """Add one object.

        Raises:
            ValueError: There is one of that type and name.
        """
        same = self.objects.setdefault(kind, {})
        if name in same:
            raise ValueError(f"{kind} {name!r} twice")
        same[name] = fields

    def schedule(self, name: str, value: float) -> None:
        """Add a constant that an actuator may move."""
        self.add(
            "Schedule:Constant",
            name,
            schedule_type_limits_name="Any number",
            hourly_value=value,
        )

    def setpoint(self, node: str, schedule: str) -> None:
        """Hold a node's temperature set-point at a schedule."""
        self.add(
            "SetpointManager:Scheduled",
            f"{node} Setpoint",
            control_variable="Temperature",
            schedule_name=schedule,
            setpoint_node_or_nodelist_name=node,
        )

    def polynomial(
        self, kind: str, name: str, terms: Sequence[float], **ends: float
    ) -> None:
        """Add a curve: terms in the order of its fields, ends of its inputs."""
        named = dict(zip(TERMS[kind], terms, strict=True))
        self.add(f"Curve:{kind}", name, **named, **ends)

    def branch(self, name: str, components: Sequence[Component]) -> None:
        """Add a branch of components in series, and the pipes among them."""
        for kind, own, inlet, outlet in components:
            if kind == PIPE:
                self.add(kind, own, inlet_node_name=inlet, outlet_node_name=outlet)
        parts = [
            {
                "component_object_type": kind,
                "component_name": own,
                "component_inlet_node_name": inlet,
                "component_outlet_node_name": outlet,
            }
            for kind, own, inlet, outlet in components
        ]
        self.add("Branch", name, components=parts)

    def half_loop(self, name: str, branches: Mapping[str, list[Component]]) -> None:
        """Add one side of a loop: first branch, parallel ones, last branch."""
        names = list(branches)
        for branch, components in branches.items():
            self.branch(branch, components)
        listed = [{"branch_name": branch} for branch in names]
        self.add("BranchList", f"{name} Branches", branches=listed)
        self.add(
            "ConnectorList",
            f"{name} Connectors",
            connector_1_object_type="Connector:Splitter",
            connector_1_name=f"{name} Splitter",
            connector_2_object_type="Connector:Mixer",
            connector_2_name=f"{name} Mixer",
        )
        self.add(
            "Connector:Splitter",
            f"{name} Splitter",
            inlet_branch_name=names[0],
            branches=[{"outlet_branch_name": branch} for branch in names[1:-1]],
        )
        self.add(
            "Connector:Mixer",
            f"{name} Mixer",
            outlet_branch_name=names[-1],
            branches=[{"inlet_branch_name": branch} for branch in names[1:-1]],
        )


TERMS = {
    "Quadratic": ("coefficient1_constant", "coefficient2_x", "coefficient3_x_2"),
    "Cubic": (
        "coefficient1_constant",
        "coefficient2_x",
        "coefficient3_x_2",
        "coefficient4_x_3",
    ),
    "Exponent": (
        "coefficient1_constant",
        "coefficient2_constant",
        "coefficient3_constant",
    ),
    "Biquadratic": (
        "coefficient1_constant",
        "coefficient2_x",
        "coefficient3_x_2",
        "coefficient4_y",
        "coefficient5_y_2",
        "coefficient6_x_y",
    ),
}
"""Fields of each curve, in order."""


def pipe(name: str, inlet: str, outlet: str) -> list[Component]:
    """Return a branch that is a pipe."""
    return [(PIPE, f"{name} Pipe", inlet, outlet)]
