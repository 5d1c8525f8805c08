"""What `coolbound review` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import add_shifts, whole
from coolbound.grammar.ledger import add_folder, add_trust

ROLES = ("reviewer", "reader")
"""What a user may do, the first unless another is named."""

PORT = 8410


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `review` accepts."""
    add_folder(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=PORT, help="port; 0 for a free one"
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="serve on an address that others reach; put TLS before it",
    )
    parser.add_argument(
        "--name",
        nargs="+",
        default=[],
        metavar="HOST",
        help="names under which browsers may ask for the page, besides loopback",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="browsers come by TLS through a reverse proxy: mark cookies so",
    )
    parser.add_argument("--users", type=Path, help="file of users (default: your own)")
    parser.add_argument("--add-user", metavar="NAME", help="add a user, and end")
    parser.add_argument("--remove-user", metavar="NAME", help="remove a user, and end")
    parser.add_argument(
        "--role", choices=ROLES, default=ROLES[0], help="of the user that is added"
    )
    parser.add_argument(
        "--list-shifts",
        action="store_true",
        help="say which shifts are signed off and which are not, and end",
    )
    parser.add_argument(
        "--sign-off",
        metavar="SHIFT",
        help="sign a shift such as '2025-12-02 early' off, with --as, and end",
    )
    parser.add_argument(
        "--as", dest="user", metavar="NAME", default="", help="who signs off"
    )
    parser.add_argument(
        "--text", default="", help="with --sign-off: what the next shift must know"
    )
    add_shifts(parser)
    parser.add_argument(
        "--key", type=Path, help="private key that signs (default: your own, if any)"
    )
    add_trust(parser)
