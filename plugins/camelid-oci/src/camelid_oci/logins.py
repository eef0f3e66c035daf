"""The logins that Docker remembers: `auths` in its `config.json`.

Programs that keep logins elsewhere (`credsStore`, `credHelpers`) are not run: a server starts no program that a file
names.
"""

import base64
import os
from pathlib import Path
from typing import Final

import msgspec

from camelid.errors import RegistryError
from camelid_oci.references import HUB

__all__ = ("Login", "find_login")

_FILE: Final = "config.json"
_LARGEST: Final = 1 << 20


class Login(msgspec.Struct, frozen=True):
    """Who somebody is to a registry."""

    user: str
    password: str
    refresh_token: str = ""
    """In place of a password, to get tokens for."""

    @property
    def header(self) -> str:
        """As basic authentication shows it."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


class _Entry(msgspec.Struct, rename="lower"):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = msgspec.field(default="", name="identitytoken")


class _Config(msgspec.Struct):
    auths: dict[str, _Entry] | None = None


def find_login(host: str, folder: Path | None = None) -> Login | None:
    """The login for a host; None if there is none. The file is read each time: who logs in need not start anew.

    Args:
        host: with the port if there is one.
        folder: where `config.json` is; None for what `DOCKER_CONFIG` says, else `~/.docker`.

    Raises:
        RegistryError: the file is not what it should be.
    """
    file = (folder or Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()) / _FILE
    wanted = HUB if host.lower() in HUB else {host.lower()}
    for key, entry in _read(file).items():
        if _host(key) in wanted and (login := _login(entry, file)) is not None:
            return login
    return None


def _read(file: Path) -> dict[str, _Entry]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST)
        return msgspec.json.decode(content, type=_Config).auths or {}
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(
            f"Docker's {_FILE} cannot be read: mend it or remove it", reason=f"{file}: {error}"
        ) from error


def _host(key: str) -> str:
    """Docker's keys are hosts, or addresses of them: `https://index.docker.io/v1/`."""
    return key.rpartition("://")[2].partition("/")[0].lower()


def _login(entry: _Entry, file: Path) -> Login | None:
    user, password = entry.username, entry.password
    if entry.auth:
        try:
            user, _colon, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except ValueError as error:  # of base64, or of UTF-8
            raise RegistryError(f"a login in Docker's {_FILE} is damaged: log in again", reason=f"{file}") from error
    if not (user and password) and not entry.identity_token:
        return None
    return Login(user, password.rstrip("\0"), entry.identity_token)
