"""The whole EnergyPlus model of a site, generated: no file of others is in it."""

import json
from pathlib import Path

from coolbound_envs.chiller_records import ChillerRecord, find_record
from coolbound_envs.energyplus.air_objects import add_halls
from coolbound_envs.energyplus.objects import ALWAYS, VERSION, Fields, Model
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.energyplus.water_objects import add_plant
from coolbound_envs.params import PlantParams

MACHINE = "ElectricEIRChiller_Trane_CVHF_2317kW_6_33COP_VSD"
"""Record whose curves the chillers have; capacity is the site's."""


def build_model(
    plant: PlantParams,
    sizes: Sizes,
    days: int,
    timesteps: int = 12,
    iterations: int = 6,
    record: ChillerRecord | None = None,
) -> dict[str, dict[str, Fields]]:
    """Return the epJSON objects of a site.

    Args:
        plant: The site's plant; servers' curves are taken from it.
        sizes: Its sizes as plain numbers.
        days: Length of the run, at most 365. [1]
        timesteps: Zone timesteps in an hour, a multiple of 12. [1]
        iterations: Least iterations between the water loops in a timestep. [1]
        record: Machine whose EIR curves the chillers have; by default `MACHINE`.
    """
    model = Model()
    _add_frame(model, days, timesteps, iterations)
    add_halls(model, sizes, plant.it)
    add_plant(model, sizes, find_record(MACHINE) if record is None else record)
    return model.objects


def write_model(objects: dict[str, dict[str, Fields]], path: Path) -> None:
    """Write the objects as an epJSON file."""
    path.write_text(json.dumps(objects, indent=1), encoding="utf-8")


def _add_frame(model: Model, days: int, timesteps: int, iterations: int) -> None:
    model.add("Version", "Version", version_identifier=VERSION)
    model.add("ScheduleTypeLimits", "Any number")
    model.schedule(ALWAYS, 1.0)
    _add_run(model, days, timesteps)
    _add_methods(model)
    model.add(
        "ConvergenceLimits",
        "Limits",
        minimum_system_timestep=1,
        maximum_hvac_iterations=20,
        minimum_plant_iterations=iterations,
        maximum_plant_iterations=max(2 * iterations, 8),
    )
    # A run without any output is warned of; nobody reads this one.
    model.add(
        "Output:Meter",
        "Facility Electricity",
        key_name="Electricity:Facility",
        reporting_frequency="RunPeriod",
    )


def _add_run(model: Model, days: int, timesteps: int) -> None:
    """Run the weather file from its first day on; nothing is sized."""
    model.add(
        "SimulationControl",
        "Control",
        do_zone_sizing_calculation="No",
        do_system_sizing_calculation="No",
        do_plant_sizing_calculation="No",
        run_simulation_for_sizing_periods="No",
        run_simulation_for_weather_file_run_periods="Yes",
    )
    month, day = _month_and_day(days)
    model.add(
        "RunPeriod",
        "Run",
        begin_month=1,
        begin_day_of_month=1,
        end_month=month,
        end_day_of_month=day,
        day_of_week_for_start_day="Monday",
        first_hour_interpolation_starting_values="Hour1",
    )
    model.add("Timestep", "Timestep", number_of_timesteps_per_hour=timesteps)
    model.add(
        "Building",
        "Site",
        terrain="Suburbs",
        loads_convergence_tolerance_value=0.04,
        temperature_convergence_tolerance_value=0.2,
        solar_distribution="MinimalShadowing",
        maximum_number_of_warmup_days=25,
        minimum_number_of_warmup_days=1,
    )


def _month_and_day(days: int) -> tuple[int, int]:
    """Return month and day of a day of a common year, counted from 1."""
    lengths = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    for month, length in enumerate(lengths, start=1):
        if days <= length:
            return month, days
        days -= length
    raise ValueError("more than 365 days")


def _add_methods(model: Model) -> None:
    model.add(
        "GlobalGeometryRules",
        "Geometry",
        starting_vertex_position="UpperLeftCorner",
        vertex_entry_direction="Counterclockwise",
        coordinate_system="Relative",
    )
    model.add("HeatBalanceAlgorithm", "Balance", algorithm="ConductionTransferFunction")
    model.add("SurfaceConvectionAlgorithm:Inside", "Inside", algorithm="Simple")
    model.add(
        "SurfaceConvectionAlgorithm:Outside", "Outside", algorithm="SimpleCombined"
    )
    # Servers and air are one store per zone, which this method integrates exactly.
    model.add("ZoneAirHeatBalanceAlgorithm", "Air", algorithm="AnalyticalSolution")
    model.add(
        "OutputControl:Files",
        "Files",
        **{f"output_{name}": "No" for name in QUIET},
    )


QUIET = ("eso", "mtr", "tabular", "audit", "bnd", "shd", "rdd", "mdd", "mtd")
"""Files that nobody reads; `eplusout.err`, `.end` and `.eio` stay."""
