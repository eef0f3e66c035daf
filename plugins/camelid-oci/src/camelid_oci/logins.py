"""The logins that Docker remembers: in its `config.json`, or in a keychain by the programs that this file names."""

import base64
import os
from pathlib import Path
from typing import Final

import msgspec

from camelid.errors import RegistryError
from camelid_oci.credential_program import ask_program
from camelid_oci.references import HUB

__all__ = ("Login", "find_login")

_FILE: Final = "config.json"
_LARGEST: Final = 1 << 20
_HUB_ADDRESS: Final = "https://index.docker.io/v1/"
"""Under which Docker keeps the login for its own registry."""
_REFRESHES: Final = "<token>"
"""In place of a user, where a program keeps a token and no password."""


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


class _Config(msgspec.Struct, rename="camel"):
    auths: dict[str, _Entry] | None = None
    creds_store: str | None = None
    cred_helpers: dict[str, str] | None = None


def find_login(host: str, folder: Path | None = None) -> Login | None:
    """The login for a host; None if there is none. Blocks: it may have to ask a program.

    `credHelpers` go before `credsStore`, as Docker has it, and both before `auths`. The file is read each time: who
    logs in need not start anew.

    Args:
        host: with the port if there is one.
        folder: where `config.json` is; None for what `DOCKER_CONFIG` says, else `~/.docker`.

    Raises:
        RegistryError: the file is not what it should be.
    """
    file = (folder or Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()) / _FILE
    config = _read(file)
    wanted = HUB if host.lower() in HUB else {host.lower()}
    program = next((name for key, name in (config.cred_helpers or {}).items() if _host(key) in wanted), "")
    login = _kept_login(program or config.creds_store or "", _HUB_ADDRESS if wanted is HUB else host)
    entries = (entry for key, entry in (config.auths or {}).items() if _host(key) in wanted)
    return login or next(filter(None, (_login(entry, file) for entry in entries)), None)


def _read(file: Path) -> _Config:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST)
        return msgspec.json.decode(content, type=_Config)
    except FileNotFoundError:
        return _Config()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(
            f"Docker's {_FILE} cannot be read: mend it or remove it", reason=f"{file}: {error}"
        ) from error


def _kept_login(program: str, host: str) -> Login | None:
    """What a program keeps; None without one."""
    found = ask_program(program, host) if program else None
    if found is None or not (found.user and found.secret):
        return None
    return Login("", "", found.secret) if found.user == _REFRESHES else Login(found.user, found.secret)


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
