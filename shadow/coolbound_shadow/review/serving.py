"""Serving the page: on loopback, unless somebody insists."""

import dataclasses
import ipaddress
import socket
from collections.abc import Callable

from waitress.server import create_server

from coolbound_envs.tables import InputError
from coolbound_shadow.review.app import Setup, create_app, is_loopback

THREADS = 4
"""Requests that are answered at once. [1]"""


def require_allowed(host: str, is_remote_allowed: bool, names: tuple[str, ...]) -> None:
    """Refuse an address that others reach, unless that is wanted.

    Raises:
        InputError: It is not loopback and was not allowed, or it has no name.
    """
    if is_loopback(host):
        return
    if not is_remote_allowed:
        raise InputError(
            f"--host {host}: found an address that others reach, expected loopback "
            "(127.0.0.1): passwords would cross the network in the clear; put a "
            "reverse proxy with TLS before it and give --tls --name NAME, or add "
            "--allow-remote"
        )
    if not names and _is_every_address(host):
        raise InputError(
            f"--host {host}: found no --name, expected the names under which browsers "
            "ask for the page; give --name review.plant.example"
        )


def _is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        InputError: The address is taken or not this computer's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise InputError(
            f"{host} port {port}: found {error.strerror or error}, expected an address "
            "of this computer that is free; give another --port, or 0 for any"
        ) from error
    return found


def serve(
    host: str, listening: socket.socket, setup: Setup, tell: Callable[[str], None]
) -> str:
    """Serve until Ctrl-C; return the address that was served.

    Args:
        host: Address that is served.
        listening: As `bind` gave it.
        setup: What the page is made of; its port is the socket's.
        tell: Told the page's address once it can be opened.
    """
    with listening:
        port = listening.getsockname()[1]
        names = setup.names if is_loopback(host) else (*setup.names, host)
        app = create_app(dataclasses.replace(setup, port=port, names=names))
        server = create_server(app, sockets=[listening], threads=THREADS, ident=None)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{port}/"
        tell(address)
        try:
            server.run()
        finally:
            server.close()
    return address
