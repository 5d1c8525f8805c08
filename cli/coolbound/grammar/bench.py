"""What `coolbound bench` accepts."""

import argparse

from coolbound.choices import BENCHES, ENGINES, PEERS
from coolbound.grammar.common import add_seed, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `bench` accepts."""
    parser.add_argument("what", choices=BENCHES, help="what to measure")
    parser.add_argument(
        "--size",
        type=whole(1, 10**6),
        help="plant: batches up to this; projection: envelopes; train: updates; "
        "shadow: days of log",
    )
    parser.add_argument(
        "--against",
        choices=(ENGINES[1], PEERS),
        help="measure in the same run: energyplus with plant, peers with projection",
    )
    parser.add_argument(
        "--decisions",
        type=whole(1, 10**6),
        help="projection: decisions at control time",
    )
    parser.add_argument(
        "--year", action="store_true", help="shadow: a year of log in place of a month"
    )
    add_seed(parser)
