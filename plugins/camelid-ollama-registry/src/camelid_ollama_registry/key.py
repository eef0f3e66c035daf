"""The key of this machine: `~/.ollama/id_ed25519`, which is Ollama's too; made if there is none (contract 13.1)."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from camelid.errors import RegistryError

__all__ = ("Key", "load_key")

_NAME = "id_ed25519"


class Key(msgspec.Struct, frozen=True):
    """Signs for this machine."""

    public: str
    """Base64 of the public key, as in an `authorized_keys` file."""
    sign: Callable[[bytes], bytes]
    """The signature of some bytes."""


def load_key(folder: Path | None = None) -> Key:
    """Read the key; make one, for this user only to read, if there is none.

    Args:
        folder: where it is; None for `~/.ollama`.

    Raises:
        RegistryError: it cannot be read or made, or is of another kind.
    """
    path = (Path.home() / ".ollama" if folder is None else folder) / _NAME
    try:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            _make(path)
            content = path.read_bytes()
        key = load_ssh_private_key(content, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RegistryError(
            f"the key {path} cannot be used: remove it, and a new one is made", reason=str(error)
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryError(f"the key {path} cannot be used: it is no ed25519 key", reason=type(key).__name__)
    return Key(_public(key).split()[1], key.sign)


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _make(path: Path) -> None:
    """Make a key, unless another process just did: a link fails where something is, and shows whole files only."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_name(f".{_NAME}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(private)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()
    path.with_name(f"{_NAME}.pub").write_text(f"{_public(key)}\n", encoding="ascii")
