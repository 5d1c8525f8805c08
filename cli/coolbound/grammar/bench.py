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
        help="measure in the same run: energyplus with plant, peers with projection "
        "(other solvers) or train (other learners)",
    )
    parser.add_argument(
        "--decisions",
        type=whole(1, 10**6),
        help="projection: decisions at control time",
    )
    parser.add_argument(
        "--steps",
        type=whole(1, 10**9),
        help="train against peers: environment steps of each run, in whole days of 64 "
        "plants",
    )
    parser.add_argument(
        "--seeds", type=whole(1, 1000), help="train against peers: runs of each"
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        help="train against peers: only these of them",
    )
    parser.add_argument(
        "--year", action="store_true", help="shadow: a year of log in place of a month"
    )
    parser.add_argument(
        "--sizes",
        type=whole(1, 10**5),
        nargs="+",
        metavar="DAYS",
        help="shadow: logs of several lengths in one run, as 7 30 365 1825, and the "
        "time of an append to the ledger",
    )
    add_seed(parser)
