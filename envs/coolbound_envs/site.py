"""A site: one plant in one TOML file, read once and checked."""

import dataclasses
import hashlib
import math
from importlib import resources
from pathlib import Path

import jax
import jax.numpy as jnp

from coolbound_envs.components import remote_pressure
from coolbound_envs.fitted_chillers import find_fitted
from coolbound_envs.interval import CONTROL_INTERVAL, SUBSTEPS
from coolbound_envs.params import (
    ChillerParams,
    ChwParams,
    CondenserParams,
    CrahParams,
    ItParams,
    PlantParams,
    RoomParams,
    SequencerParams,
)
from coolbound_envs.spec import CHILLERS
from coolbound_envs.state import PIPE_CELLS
from coolbound_envs.tables import InputError, Table, read_toml

EMBEDDED = "reference"
"""Name of the site that is used when none is given."""


@dataclasses.dataclass(frozen=True)
class Site:
    """One parsed site. Static.

    Attributes:
        name: Short name.
        title: One line for reports.
        zone: IANA time zone of the site.
        plant: Constants of the plant, float32.
        feeder_power: Most mechanical power that the feeder carries. [W]
        digest: SHA-256 of the file.
        path: Where the file is; for messages.
        root: The whole file; each layer parses its own sections of it.
    """

    name: str
    title: str
    zone: str
    plant: PlantParams
    feeder_power: float
    digest: str
    path: Path
    root: Table


def _number(value: float) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def _parse_it(table: Table, design_power: float) -> ItParams:
    params = ItParams(
        design_power=_number(design_power),
        idle_share=_number(table.number("idle_share", 0.0, 0.95)),
        leakage=_number(table.quantity("leakage", "1/K", 0.0, 0.02)),
        fan_share=_number(table.number("fan_share", 0.0, 0.3)),
        fan_knee_temp=_number(table.quantity("fan_knee", "degC", 15.0, 35.0)),
        fan_slope=_number(table.quantity("fan_slope", "1/K", 0.0, 0.2)),
        air_rise=_number(table.quantity("air_rise", "delta_degC", 4.0, 30.0)),
        flow_base=_number(table.number("flow_base", 0.0, 1.0)),
        recirculation=_number(table.number("recirculation", 0.0, 0.4)),
        server_capacity=_number(table.quantity("server_capacity", "s/K", 1.0, 200.0)),
        air_capacity=_number(table.quantity("air_capacity", "s/K", 0.5, 50.0)),
        structure_capacity=_number(
            table.quantity("structure_capacity", "s/K", 1.0, 1000.0)
        ),
        structure_conductance=_number(
            table.quantity("structure_conductance", "1/K", 0.0, 0.1)
        ),
    )
    table.finish()
    return params


def _parse_crah(table: Table) -> CrahParams:
    params = CrahParams(
        air_flow=_number(table.quantity("air_flow", "kg/s", 1.0, 1e5)),
        fan_power=_number(table.quantity("fan_power", "W", 1e2, 1e8)),
        fan_exponent=_number(table.number("fan_exponent", 2.0, 3.2)),
        conductance=_number(table.quantity("conductance", "W/K", 1e3, 1e8)),
        water_flow=_number(table.quantity("water_flow", "kg/s", 0.5, 1e4)),
        open_pressure=_number(table.quantity("open_pressure", "Pa", 5e3, 5e5)),
        valve_time=_number(table.quantity("valve_time", "s", 5.0, 600.0)),
        loop_gain=_number(table.quantity("loop_gain", "1/K", 0.001, 0.5)),
        loop_time=_number(table.quantity("loop_time", "s", 10.0, 3600.0)),
    )
    table.finish()
    return params


def _parse_chw(table: Table) -> ChwParams:
    params = ChwParams(
        design_flow=_number(table.quantity("design_flow", "kg/s", 0.5, 1e4)),
        pipe_pressure=_number(table.quantity("pipe_pressure", "Pa", 1e3, 1e6)),
        shutoff_pressure=_number(table.quantity("shutoff_pressure", "Pa", 1e4, 2e6)),
        pump_drop=_number(table.quantity("pump_drop", "Pa", 0.0, 1e6)),
        pump_efficiency=_number(table.number("pump_efficiency", 0.1, 0.95)),
        pipe_mass=_number(table.quantity("pipe_mass", "kg", 50.0, 1e7)),
        buffer_mass=_number(table.quantity("buffer_mass", "kg", 50.0, 1e7)),
    )
    table.finish()
    return params


def _efficiency(table: Table) -> tuple[float, ...]:
    """Return e0 to e5, given as numbers or as the name of a fitted machine."""
    if isinstance(table.data.get("efficiency"), str):
        where = f"{table.where}.efficiency"
        return find_fitted(table.text("efficiency"), where).efficiency
    return table.numbers("efficiency", 6)


def _parse_chiller(table: Table) -> ChillerParams:
    table.integer("count", CHILLERS, CHILLERS)
    params = ChillerParams(
        capacity=_number(table.quantity("capacity", "W", 1e4, 1e8)),
        efficiency=tuple(_number(e) for e in _efficiency(table)),
        idle_power=_number(table.number("idle_power", 0.0, 0.95)),
        lift_floor=_number(table.quantity("lift_floor", "delta_degC", 2.0, 20.0)),
        evaporator_flow=_number(table.quantity("evaporator_flow", "kg/s", 0.5, 1e4)),
        evaporator_flow_min=_number(table.number("evaporator_flow_min", 0.2, 0.9)),
        evaporator_flow_max=_number(table.number("evaporator_flow_max", 1.0, 2.0)),
        condenser_flow=_number(table.quantity("condenser_flow", "kg/s", 0.5, 1e4)),
        condenser_flow_min=_number(table.number("condenser_flow_min", 0.2, 0.9)),
        ramp=_number(table.quantity("ramp", "1/s", 1e-4, 0.1)),
        start_time=_number(table.quantity("start_time", "s", 10.0, 1800.0)),
        load_min=_number(table.number("load_min", 0.05, 0.6)),
        flow_trip=_number(table.number("flow_trip", 0.05, 0.9)),
        freeze_trip=_number(table.quantity("freeze_trip", "degC", -10.0, 6.0)),
        condensing_trip=_number(table.quantity("condensing_trip", "degC", 36.0, 60.0)),
    )
    table.finish()
    return params


def _parse_condenser(table: Table) -> CondenserParams:
    params = CondenserParams(
        design_flow=_number(table.quantity("design_flow", "kg/s", 0.5, 1e5)),
        static_pressure=_number(table.quantity("static_pressure", "Pa", 0.0, 5e5)),
        friction_pressure=_number(table.quantity("friction_pressure", "Pa", 1e3, 1e6)),
        pump_drop=_number(table.quantity("pump_drop", "Pa", 0.0, 1e6)),
        pump_efficiency=_number(table.number("pump_efficiency", 0.1, 0.95)),
        basin_mass=_number(table.quantity("basin_mass", "kg", 100.0, 1e7)),
        air_flow=_number(table.quantity("air_flow", "kg/s", 0.5, 1e5)),
        fan_power=_number(table.quantity("fan_power", "W", 1e2, 1e7)),
        conductance=_number(table.quantity("conductance", "W/K", 1e3, 1e8)),
        design_wet_bulb=_number(table.quantity("design_wet_bulb", "degC", 10.0, 32.0)),
        cells=_number(table.integer("cells", 1, 64)),
        cell_flow_min=_number(table.number("cell_flow_min", 0.1, 0.95)),
        drift=_number(table.number("drift", 0.0, 0.01)),
        concentration=_number(table.number("concentration", 1.2, 20.0)),
        economizer_effectiveness=_number(
            table.number("economizer_effectiveness", 0.0, 0.95)
        ),
        low_limit_cooling=_number(
            table.quantity("low_limit_cooling", "degC", 10.0, 25.0)
        ),
        low_limit_free=_number(table.quantity("low_limit_free", "degC", 2.0, 15.0)),
        lift_setpoint=_number(table.quantity("lift_setpoint", "delta_degC", 4.0, 20.0)),
    )
    table.finish()
    return params


def _parse_sequencer(table: Table) -> SequencerParams:
    names = [field.name for field in dataclasses.fields(SequencerParams)]
    times = {name: _number(table.quantity(name, "s", 1.0, 86400.0)) for name in names}
    table.finish()
    return SequencerParams(**times)


def _parse_room(table: Table) -> RoomParams:
    params = RoomParams(
        dew_point_max=_number(table.quantity("dew_point_max", "degC", -9.0, 15.0)),
        dew_point_min=_number(table.quantity("dew_point_min", "degC", -20.0, 10.0)),
        exchange_time=_number(table.quantity("exchange_time", "s", 60.0, 1e6)),
    )
    table.finish()
    return params


def _check_sizes(params: PlantParams, heat: float, where: str) -> None:
    """Refuse a plant that cannot carry its own heat."""
    design = float(params.it.design_power)
    capacity = float(params.chiller.capacity) * CHILLERS
    if heat < design:
        raise InputError(
            f"{where}: found heat_design {heat / 1e3:g} kW below it_power_design "
            f"{design / 1e3:g} kW, expected at least as much; correct one of them"
        )
    if capacity < heat:
        raise InputError(
            f"{where}: found {capacity / 1e3:g} kW of chillers for {heat / 1e3:g} kW "
            "of heat, expected at least as much; enlarge [equipment.chiller] capacity"
        )


def _check_water(params: PlantParams, where: str) -> None:
    """Refuse stores that the water passes within one integration step."""
    crah, chw, condenser = params.crah, params.chw, params.condenser
    opening = jnp.ones((), jnp.float32)
    pressure = remote_pressure(jnp.inf * opening, opening, crah, chw)
    coils = float(crah.water_flow) * math.sqrt(float(pressure / crah.open_pressure))
    chiller = params.chiller
    each = float(chiller.evaporator_flow_min * chiller.evaporator_flow)
    water = max(coils, each * CHILLERS)
    needed = {
        ("chw", "pipe_mass"): (float(chw.pipe_mass), water * PIPE_CELLS),
        ("chw", "buffer_mass"): (float(chw.buffer_mass), water),
        ("condenser", "basin_mass"): (
            float(condenser.basin_mass),
            float(condenser.design_flow),
        ),
    }
    step = CONTROL_INTERVAL / SUBSTEPS
    for (section, key), (found, flow) in needed.items():
        if found < flow * step:
            raise InputError(
                f"{where}.equipment.{section}.{key}: found {found:g} kg, expected at "
                f"least {flow * step:.0f} kg: {step:g} s of flow; correct it"
            )


def load_site(name_or_path: str | Path = EMBEDDED) -> Site:
    """Return a site by shipped name or by the path of a TOML file.

    Raises:
        InputError: The file is missing or anything in it is wrong.
    """
    path = _locate(name_or_path)
    root = read_toml(path)
    site = root.table("site")
    plant = root.table("plant")
    design = plant.quantity("it_power_design", "W", 1e4, 1e9)
    heat = plant.quantity("heat_design", "W", 1e4, 1e9)
    feeder = plant.quantity("feeder_power", "W", 1e3, 1e9)
    plant.finish()
    equipment = root.table("equipment")
    params = PlantParams(
        it=_parse_it(equipment.table("it"), design),
        crah=_parse_crah(equipment.table("crah")),
        chw=_parse_chw(equipment.table("chw")),
        chiller=_parse_chiller(equipment.table("chiller")),
        condenser=_parse_condenser(equipment.table("condenser")),
        sequencer=_parse_sequencer(equipment.table("sequencer")),
        room=_parse_room(equipment.table("room")),
    )
    equipment.finish()
    _check_sizes(params, heat, str(path))
    _check_water(params, str(path))
    parsed = Site(
        name=site.text("name"),
        title=site.text("title"),
        zone=site.text("zone"),
        plant=params,
        feeder_power=feeder,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        path=path,
        root=root,
    )
    site.finish()
    for section in ("limits", "points", "operator", "shifts"):
        root.seen.add(section)
    root.finish()
    return parsed


def _locate(name_or_path: str | Path) -> Path:
    """Return the path of a shipped site, or the path itself."""
    shipped = resources.files("coolbound_envs") / "sites" / f"{name_or_path}.toml"
    if isinstance(name_or_path, str) and shipped.is_file():
        return Path(str(shipped))
    path = Path(name_or_path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such site, expected '{EMBEDDED}' or the path of a TOML file; "
            "check --site"
        )
    return path
