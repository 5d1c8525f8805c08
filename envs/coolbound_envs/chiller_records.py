"""Chiller records in the two EIR forms of EnergyPlus, shipped or the user's own.

A record holds a machine's rating, the ranges that its curves were made from, and
the curves. The shipped ones are those of the Modelica Buildings Library
(`data/equipment/`, licence and origin in `data/ATTRIBUTION.md`); the user's come
from a JSON or TOML file with the same keys and units.
"""

import dataclasses
import difflib
import functools
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from coolbound_envs.constants import KELVIN
from coolbound_envs.tables import InputError, Table, read_toml

EIR = "eir"
"""Form of the curves: in leaving chilled and entering condenser water."""

REFORMULATED = "reformulated"
"""Form of the curves: in leaving chilled and leaving condenser water."""

SHIPPED = {
    EIR: "chillers_electric_eir.json",
    REFORMULATED: "chillers_electric_reformulated_eir.json",
}
"""Files of the shipped records by form."""

CONDENSER_TYPES = ("WaterCooled", "AirCooled")
DRIVES = ("VSD", "Vanes", "Valve", "None")


@dataclasses.dataclass(frozen=True)
class ChillerRecord:
    """One machine: rating, valid ranges, curves. Static.

    Attributes:
        name: Key of the record in its file.
        title: Name for people.
        form: `EIR` or `REFORMULATED`.
        is_water_cooled: Whether the condenser is cooled by water.
        capacity: Rated cooling capacity. [W]
        cop: Rated coefficient of performance. [1]
        evaporator_flow: Rated chilled-water flow. [kg/s]
        condenser_flow: Rated condenser-water flow. [kg/s]
        leaving_rated: Leaving chilled water of the rating. [degC]
        condenser_rated: Condenser water of the rating, as the form has it. [degC]
        leaving_range: Leaving chilled water of the data, low and high, in degC.
        condenser_range: Condenser water of the data, low and high, in degC.
        load_range: Part load of the data, low and high.
        load_unloaded: Below this the machine false-loads itself. [1]
        capacity_curve: Six coefficients of capacity over rated.
        energy_curve: Six coefficients of energy input ratio over rated.
        load_curve: Three (EIR) or ten (reformulated) coefficients of part load.
        motor_share: Compressor power that reaches the refrigerant. [1]
    """

    name: str
    title: str
    form: str
    is_water_cooled: bool
    capacity: float
    cop: float
    evaporator_flow: float
    condenser_flow: float
    leaving_rated: float
    condenser_rated: float
    leaving_range: tuple[float, float]
    condenser_range: tuple[float, float]
    load_range: tuple[float, float]
    load_unloaded: float
    capacity_curve: tuple[float, ...]
    energy_curve: tuple[float, ...]
    load_curve: tuple[float, ...]
    motor_share: float

    @property
    def drive(self) -> str:
        """How the machine unloads, where its title says so; else empty."""
        last = self.title.rsplit("/", 1)[-1]
        return last if last in DRIVES else ""


@functools.cache
def shipped_records() -> Mapping[str, ChillerRecord]:
    """Return every shipped record by name: 159 in EIR form, 157 reformulated."""
    folder = resources.files("coolbound_envs") / "data" / "equipment"
    records: dict[str, ChillerRecord] = {}
    for file in SHIPPED.values():
        text = (folder / file).read_text(encoding="utf-8")
        records |= _parse_all(json.loads(text), file)
    return records


def find_record(
    name: str, records: Mapping[str, ChillerRecord] | None = None
) -> ChillerRecord:
    """Return the record of that name, or the only one whose name contains it.

    Upper and lower case, blanks and punctuation do not matter. Where both forms
    of one machine fit, the EIR form is meant.

    Args:
        name: The record's key, or enough of it.
        records: Where to look; the shipped ones by default.

    Raises:
        InputError: No record fits, or several do.
    """
    known = shipped_records() if records is None else records
    if name in known:
        return known[name]
    fitting = matching_records(name, known)
    preferred = [record for record in fitting if record.form == EIR] or fitting
    if len(preferred) == 1:
        return preferred[0]
    near = [record.name for record in preferred] or difflib.get_close_matches(
        name, known, n=1, cutoff=0.0
    )
    more = f" and {len(near) - 3} more" if len(near) > 3 else ""
    raise InputError(
        f"chiller {name!r}: found {len(preferred)} records of that name, expected "
        f"one; did you mean {', '.join(near[:3])}{more}?"
    )


def matching_records(
    text: str, records: Mapping[str, ChillerRecord] | None = None
) -> list[ChillerRecord]:
    """Return the records whose name contains the text, in their order."""
    known = shipped_records() if records is None else records
    wanted = _plain(text)
    return [record for name, record in known.items() if wanted in _plain(name)]


def read_records(path: Path) -> dict[str, ChillerRecord]:
    """Return the records of a JSON or TOML file by name.

    The file is one record, or a table of named records; keys and units are those
    of the shipped files (W, kg/s, K, curves in degC).

    Raises:
        InputError: The file cannot be read, or anything in it is wrong.
    """
    is_json = path.suffix.lower() == ".json"
    data = _read_json(path) if is_json else read_toml(path).data
    if "capFunT" in data:
        data = {str(data.get("title", path.stem)): data}
    records = _parse_all(data, str(path))
    if not records:
        raise InputError(
            f"{path}: found no record, expected one, or a table of named ones; add it"
        )
    return records


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a JSON "
            "file; check the path"
        ) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: {error}, expected JSON; correct that line"
        ) from error
    if not isinstance(data, Mapping):
        raise InputError(
            f"{path}: found {type(data).__name__}, expected a JSON object; correct it"
        )
    return data


def _parse_all(data: Mapping[str, Any], where: str) -> dict[str, ChillerRecord]:
    root = Table(data, where)
    names = [name for name in data if name != "_meta"]
    return {name: parse_record(name, root.table(name)) for name in names}


def parse_record(name: str, table: Table) -> ChillerRecord:
    """Return one record; temperatures become degC, the capacity positive.

    Raises:
        InputError: A key is missing, unknown, or out of range.
    """
    side = "TConEnt" if table.has("TConEnt_nominal") else "TConLvg"
    is_eir = side == "TConEnt"
    condenser = table.text("condenser_type", CONDENSER_TYPES, CONDENSER_TYPES[0])
    record = ChillerRecord(
        name=name,
        title=table.text("title", default=name),
        form=EIR if is_eir else REFORMULATED,
        is_water_cooled=condenser == CONDENSER_TYPES[0],
        capacity=-table.number("QEva_flow_nominal", -1e8, -1e3),
        cop=table.number("COP_nominal", 1.0, 20.0),
        evaporator_flow=table.number("mEva_flow_nominal", 0.01, 1e4),
        condenser_flow=table.number("mCon_flow_nominal", 0.01, 1e4),
        leaving_rated=_celsius(table, "TEvaLvg_nominal"),
        condenser_rated=_celsius(table, f"{side}_nominal"),
        leaving_range=_temperatures(table, "TEvaLvg"),
        condenser_range=_temperatures(table, side),
        load_range=_range(table, "PLR", 0.01, 1.5),
        load_unloaded=table.number("PLRMinUnl", 0.01, 1.0),
        capacity_curve=table.numbers("capFunT", 6),
        energy_curve=table.numbers("EIRFunT", 6),
        load_curve=table.numbers("EIRFunPLR", 3 if is_eir else 10),
        motor_share=table.number("etaMotor", 0.0, 1.0, default=1.0),
    )
    table.finish()
    return record


def _celsius(table: Table, key: str) -> float:
    return round(table.number(key, 250.0, 340.0) - KELVIN, 6)


def _temperatures(table: Table, key: str) -> tuple[float, float]:
    low, high = _range(table, key, 250.0, 340.0)
    return round(low - KELVIN, 6), round(high - KELVIN, 6)


def _range(table: Table, key: str, lower: float, upper: float) -> tuple[float, float]:
    low = table.number(f"{key}Min", lower, upper)
    high = table.number(f"{key}Max", lower, upper)
    if low >= high:
        raise InputError(
            f"{table.where}.{key}Max: found {high:g}, expected more than {key}Min, "
            f"{low:g}; correct one of them"
        )
    return low, high


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
