"""What `coolbound train` accepts."""

import argparse
from pathlib import Path

from coolbound.choices import ALGORITHMS, TRAINING_LOADS, TRAINING_WEATHER
from coolbound.grammar.common import add_out, nearest, number, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `train` accepts."""
    add_out(parser, "runs/train")
    parser.add_argument(
        "algorithm",
        nargs="?",
        metavar="ALGO",
        type=_algorithm,
        default=ALGORITHMS[0],
        help=f"one of {', '.join(ALGORITHMS)}",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="hyper-parameters; they go before those of --settings",
    )
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML file of hyper-parameters"
    )
    parser.add_argument(
        "--seeds",
        type=whole(1, 1000),
        metavar="N",
        help="train N seeds one after the other, each into a folder of its own",
    )
    parser.add_argument(
        "--weather", nargs="+", default=TRAINING_WEATHER, help="years to train on"
    )
    parser.add_argument(
        "--load", nargs="+", default=TRAINING_LOADS, help="traces to train on"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out"
    )
    parser.add_argument(
        "--frames",
        type=whole(1, 64),
        default=1,
        metavar="K",
        help="show the policy its last K observations (1)",
    )
    parser.add_argument(
        "--shaping",
        type=number(0.0, 100.0),
        default=0.0,
        metavar="WEIGHT",
        help="shape the reward by the heat stored in water and halls (0)",
    )
    parser.add_argument(
        "--tensorboard",
        type=Path,
        metavar="FOLDER",
        help="write metrics for TensorBoard too; needs coolbound[tensorboard]",
    )
    parser.add_argument("--name", help="what reports call the policy (--out's name)")


def _algorithm(text: str) -> str:
    if text not in ALGORITHMS:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected one of {', '.join(ALGORITHMS)}; did you mean "
            f"{nearest(text, ALGORITHMS)!r}?"
        )
    return text
