"""The sign-and-size table: what each channel must move, and what it must not.

Written from physics, not from a run: a reason stands beside each row. Sizes are
wide on purpose; they tell a live actuator from a dead one and a kelvin from a
degree Fahrenheit, not one site from another.
"""

from typing import Final

from coolbound_envs.audit.sign_table import (
    AIR,
    ALL,
    CHW,
    COLD,
    COOL,
    FAN,
    FREE,
    HOT,
    MACHINES,
    MILD,
    PRESSURE,
    PUMP,
    STARVED,
    TOWER,
    WET,
    Move,
    Response,
)

AIR_SIDE: Final = ("supply_air_hall1", "supply_air_hall2", "inlet_hall1", "inlet_hall2")
FANS: Final = ("fan_power_hall1", "fan_power_hall2")

MOVES: Final[tuple[Move, ...]] = (
    Move(
        AIR,
        2.0,
        True,
        ALL,
        (
            Response(
                "supply_air_hall1", 1, 1.9, 2.1, ALL, "its loop holds the set-point"
            ),
            Response("inlet_hall1", 1, 1.7, 2.3, ALL, "servers take in supply air"),
            Response(
                "return_air_hall1", 1, 1.5, 2.5, ALL, "servers add their rise to it"
            ),
            Response("server_power", 1, 0.1, 1.5, ALL, "leakage and server fans"),
            Response(
                "valve_hall1",
                -1,
                0.02,
                0.3,
                ALL,
                "warmer air gives its heat more readily",
            ),
            Response("coil_flow", -1, 2.0, 30.0, ALL, "less water is let through"),
            Response(
                "chw_return", 1, 0.3, 2.5, ALL, "less water carries the same heat"
            ),
        ),
        (
            *("supply_air_hall2", "inlet_hall2", *FANS, "chw_supply", "chw_pressure"),
            *("cw_flow", "cw_pump_power", "tower_power"),
        ),
    ),
    Move(
        FAN,
        0.1,
        True,
        ALL,
        (
            Response("fan_power_hall1", 1, 20.0, 55.0, ALL, "affinity laws"),
            Response(
                "airflow_ratio_hall1", 1, 0.05, 0.4, ALL, "more air, same servers"
            ),
            Response(
                "return_air_hall1", -1, 0.3, 2.5, ALL, "the same heat in more air"
            ),
            Response("heat_taken_up", 1, 0.1, 3.0, ALL, "fan power ends in the water"),
        ),
        # With air enough nothing flows back, and inlets do not feel the fans.
        (
            *(*AIR_SIDE, "fan_power_hall2", "chw_supply", "chw_pressure"),
            *("cw_pump_power", "tower_power"),
        ),
    ),
    Move(
        FAN,
        0.1,
        True,
        (STARVED,),
        (
            Response(
                "inlet_hall1", -1, 0.5, 12.0, (STARVED,), "less hot air flows back"
            ),
            Response("airflow_ratio_hall1", 1, 0.02, 0.4, (STARVED,), "more air"),
            Response(
                "server_power", -1, 0.05, 8.0, (STARVED,), "cooler servers leak less"
            ),
        ),
        ("fan_power_hall2", "supply_air_hall2", "inlet_hall2"),
    ),
    Move(
        CHW,
        2.0,
        True,
        ALL,
        (
            Response("chw_supply", 1, 1.95, 2.05, ALL, "machines hold the set-point"),
            Response("valve_hall1", 1, 0.02, 0.4, ALL, "warmer water: more of it"),
            Response("valve_hall2", 1, 0.02, 0.4, ALL, "warmer water: more of it"),
            Response("coil_flow", 1, 5.0, 80.0, ALL, "warmer water: more of it"),
            Response("chw_pump_power", 1, 10.0, 150.0, (MILD, COLD), "flow times head"),
            Response("lift", -1, 0.1, 2.6, WET, "evaporators are warmer"),
            Response("chiller_power", -1, 0.5, 20.0, WET, "less lift"),
        ),
        (*AIR_SIDE, *FANS, "server_power", "cw_flow", "cw_pump_power", "tower_power"),
    ),
    Move(
        PRESSURE,
        15.0,
        True,
        ALL,
        (
            Response("chw_pressure", 1, 14.5, 15.5, ALL, "pumps hold the set-point"),
            Response("chw_pump_power", 1, 3.0, 35.0, ALL, "same flow, more head"),
            Response("valve_hall1", -1, 0.005, 0.15, ALL, "valves give back the head"),
            Response("valve_hall2", -1, 0.005, 0.15, ALL, "valves give back the head"),
        ),
        (
            *(*AIR_SIDE, *FANS, "coil_flow", "chw_supply", "chw_return"),
            *("cw_flow", "cw_pump_power", "tower_power"),
        ),
    ),
    Move(
        PUMP,
        0.1,
        True,
        ALL,
        (
            Response("cw_flow", 1, 8.0, 20.0, ALL, "flow follows speed"),
            Response("cw_pump_power", 1, 12.0, 70.0, ALL, "between speed and its cube"),
            Response("cw_range", -1, 0.1, 1.5, ALL, "the same heat in more water"),
            Response("cw_leaving", -1, 0.02, 1.0, ALL, "the same heat in more water"),
            Response("chiller_power", -1, 0.1, 8.0, WET, "less lift"),
        ),
        (
            *(*AIR_SIDE, *FANS, "chw_supply", "chw_pressure", "chw_pump_power"),
            "tower_power",
        ),
    ),
    Move(
        TOWER,
        0.15,
        True,
        ALL,
        (
            Response("tower_power", 1, 30.0, 150.0, ALL, "cube of the speed"),
            Response("cw_entering", -1, 0.1, 4.0, ALL, "more air cools the basin"),
            Response(
                "cw_leaving", -1, 0.1, 4.0, ALL, "the condensers get colder water"
            ),
            Response("lift", -1, 0.1, 4.0, WET, "the condensers get colder water"),
            Response("chiller_power", -1, 0.5, 20.0, WET, "less lift"),
        ),
        (
            *(*AIR_SIDE, *FANS, "server_power", "chw_supply", "chw_pressure"),
            *("cw_flow", "cw_pump_power"),
        ),
    ),
    Move(
        MACHINES,
        1.0,
        False,
        (MILD, COOL),
        (
            Response("machines_running", 1, 1.0, 1.0, (MILD, COOL), "one more runs"),
            Response("part_load", -1, 0.1, 0.5, (MILD, COOL), "they share the load"),
            # At low load the minimum-flow bypass gives each its least anyway.
            Response("evaporator_flow", -1, 5.0, 60.0, (MILD,), "they share the flow"),
        ),
        (*AIR_SIDE, *FANS, "chw_supply", "chw_pressure", "tower_power"),
    ),
    Move(
        MACHINES,
        -1.0,
        False,
        (HOT, COOL),
        (
            Response("machines_running", 1, 1.0, 1.0, (HOT, COOL), "one less runs"),
            Response("part_load", -1, 0.1, 0.6, (HOT, COOL), "the rest takes its load"),
            Response(
                "evaporator_flow",
                -1,
                5.0,
                110.0,
                (HOT, COOL),
                "the rest takes its flow",
            ),
        ),
        (*AIR_SIDE, *FANS, "chw_supply", "chw_pressure", "tower_power"),
    ),
    Move(
        MACHINES,
        -1.0,
        False,
        (MILD,),
        (
            Response(
                "chw_supply",
                -1,
                1.0,
                40.0,
                (MILD,),
                "one machine cannot carry the load",
            ),
            Response(
                "inlet_hall1", -1, 0.5, 30.0, (MILD,), "what it leaves warms halls"
            ),
        ),
        FANS,
    ),
    Move(
        MACHINES,
        1.0,
        False,
        (COLD,),
        (
            Response("machines_running", 1, 1.0, 1.0, (COLD,), "one starts"),
            Response(
                "free_heat_share", -1, 5.0, 100.0, (COLD,), "it takes its least load"
            ),
        ),
        (*AIR_SIDE, *FANS, "tower_power"),
    ),
    Move(
        FREE,
        1.0,
        False,
        (COOL,),
        (
            Response("free_heat_share", 1, 2.0, 80.0, (COOL,), "the basin is colder"),
            Response("part_load", -1, 0.01, 0.4, (COOL,), "load off the machines"),
            Response("chiller_power", -1, 1.0, 60.0, (COOL,), "load off the machines"),
        ),
        (*AIR_SIDE, *FANS, "chw_supply", "tower_power"),
    ),
    # A basin warmer than the return would warm the water: it must stay shut.
    Move(
        FREE,
        1.0,
        False,
        (HOT, MILD),
        (),
        ("free_heat_share", "chiller_power", "chw_supply", *AIR_SIDE),
    ),
    Move(
        FREE,
        -1.0,
        False,
        (COLD,),
        (
            Response("free_heat_share", 1, 90.0, 100.1, (COLD,), "nothing else cools"),
            Response("chw_supply", -1, 5.0, 80.0, (COLD,), "nothing else cools"),
        ),
        FANS,
    ),
)
"""Every channel but the second hall's twins, which `actuators` mirrors."""
