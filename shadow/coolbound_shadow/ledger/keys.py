"""Keys as files: the private one for its owner alone, the public one for all.

Ed25519 (RFC 8032). Private keys are PKCS 8 PEM, public ones SubjectPublicKeyInfo
PEM, so that `openssl` reads them. A key is named by the SHA-256 of its 32 raw
public bytes. The private key never stands in the folder of a ledger.
"""

import dataclasses
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from coolbound_envs.tables import InputError

PUBLIC_SUFFIX = ".pub"

PublicKeys = Mapping[str, Ed25519PublicKey]
"""Public keys by name."""


@dataclasses.dataclass(frozen=True)
class Signer:
    """A private key in use. Static.

    Attributes:
        key: Name of the key.
        path: File that it was read from.
        private: The key itself; it is never printed or written.
    """

    key: str
    path: Path
    private: Ed25519PrivateKey = dataclasses.field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self.private.sign(message)

    def public_pem(self) -> bytes:
        """Return the public half as it is written to a file."""
        return _public_pem(self.private.public_key())


def key_name(public: Ed25519PublicKey) -> str:
    """Return the name of a key: SHA-256 of its raw bytes, hexadecimal."""
    raw = public.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return hashlib.sha256(raw).hexdigest()


def _public_pem(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_path(path: Path) -> Path:
    """Return where the public half of a private key's file stands."""
    return path.with_name(path.name + PUBLIC_SUFFIX)


def make_key(path: Path) -> Signer:
    """Make a pair of keys: `path` for its owner alone, `path.pub` for all.

    Raises:
        InputError: A file of that name is there, or the folder cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_new(path, pem, 0o600)
        _write_new(public_path(path), _public_pem(private.public_key()), 0o644)
    except OSError as error:
        raise InputError(
            f"{error.filename or path}: found {error.strerror or error}, expected to "
            "make a new key there; name another file, an old key is never replaced"
        ) from error
    return load_signer(path)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def load_signer(path: Path) -> Signer:
    """Read a private key.

    Raises:
        InputError: It is absent, no such key, or others may read it.
    """
    data = _read(path, "a private key that `coolbound ledger key` made")
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise InputError(
            f"{path}: found a private key with mode {mode:03o}, expected 600; run "
            f"`chmod 600 {path}`, and make a new key if others may have read it"
        )
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "private") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return Signer(key_name(private.public_key()), path, private)


def load_public(paths: Iterable[Path]) -> PublicKeys:
    """Read public keys, by name.

    Raises:
        InputError: A file is absent or holds no such key.
    """
    found = {}
    for path in paths:
        data = _read(path, "a public key (the file beside the private one, .pub)")
        try:
            public = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _no_key(path, "public") from error
        if not isinstance(public, Ed25519PublicKey):
            raise _no_key(path, "public")
        found[key_name(public)] = public
    return found


def _read(path: Path, expected: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: found {error.strerror}, expected {expected}; check the name"
        ) from error


def _no_key(path: Path, half: str) -> InputError:
    return InputError(
        f"{path}: found no {half} Ed25519 key, expected one in PEM; make a pair with "
        "`coolbound ledger key`"
    )


def is_signed(public: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Return whether a signature is that key's, of that message."""
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True
