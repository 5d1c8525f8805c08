"""What `coolbound evaluate` accepts."""

import argparse
from pathlib import Path

from coolbound.choices import ENGINES, EVALUATED, UNSEEN_WEATHER
from coolbound.grammar.common import add_out, add_seed, number, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` accepts."""
    add_out(parser, "runs/evaluate")
    add_seed(parser)
    parser.add_argument(
        "--controllers",
        nargs="+",
        default=EVALUATED,
        metavar="NAME",
        help="names of controllers, folders of policies, or seeds of one algorithm "
        "as LABEL=FOLDER,FOLDER,...",
    )
    _add_places(parser)
    _add_engine(parser)
    parser.add_argument("--days", type=whole(1, 366), default=365, help="length")
    parser.add_argument(
        "--start",
        nargs="+",
        type=whole(0, 365),
        default=[0],
        metavar="DAY",
        help="days after 1 January; several are run side by side",
    )
    parser.add_argument(
        "--filter-off",
        action="store_true",
        help="also run policies (with EnergyPlus, everyone) without the safety layer",
    )


def _add_engine(parser: argparse.ArgumentParser) -> None:
    """Add whose plant it is (docs/transfer.md)."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="our own plant, or EnergyPlus beside its own controls, everyone behind "
        "the safety layer",
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="with EnergyPlus: also write the page of results there",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    """Add what every controller meets alike: each with each is one place."""
    parser.add_argument(
        "--weather", nargs="+", default=UNSEEN_WEATHER, help="years to run over"
    )
    parser.add_argument("--load", nargs="+", default=["google2019"], help="IT loads")
    parser.add_argument(
        "--faults",
        nargs="+",
        default=["none"],
        metavar="FILE",
        help="TOML files of what breaks (docs/faults.md), or none",
    )
    parser.add_argument(
        "--random-faults",
        type=number(0.0, 10.0),
        default=0.0,
        metavar="A_DAY",
        help="random faults a day besides, in the mix of the reference tasks",
    )
    parser.add_argument(
        "--vary",
        type=number(0.0, 0.3),
        default=0.0,
        metavar="SHARE",
        help="true plants differ from the site file by up to this: 0.1 as in the "
        "reference tasks",
    )
