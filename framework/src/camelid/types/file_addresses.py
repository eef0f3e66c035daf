"""Addresses of model files, which are names too: `https://host/models/tiny.gguf`, `file:///srv/models/tiny`.

An address with `http://` or `https://` is one of a file if its path ends in `.gguf`: all others are names in Ollama's
grammar, which may say a scheme, too. An address with `file://` always is: of a file or a folder on the server's disk.

On the disk a model from such an address has a name of four legal parts that lead to it and not back: the host
(`localhost` of this machine), the last folder, the file's name without its ending, and as tag the beginning of the
SHA-256 of the whole path with its query. So no two addresses of a host share a name, and nothing of a query, which may
hold a secret, is stored.
"""

import re
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

import msgspec

from camelid.errors import RequestError

__all__ = ("FILE", "WEB", "FileAddress", "read_address")

WEB: Final = "web"
"""Protocol of addresses with `http://` and `https://`."""
FILE: Final = "file"
"""Protocol of addresses with `file://`."""

_ENDINGS: Final = (".gguf",)
"""Of paths that are files."""
_THIS_MACHINE: Final = "localhost"
_LONGEST: Final = 4096
"""Characters of a path with its query."""
_LONGEST_PART: Final = 80
_TAG_DIGITS: Final = 12
_UNSAID: Final = "_"
"""In place of a folder or a name that has no character which names allow."""
_NOT_IN_FOLDERS: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_IN_ADDRESSES: Final = re.compile(r"[\x00-\x20\x7f\\#]")


class FileAddress(msgspec.Struct, frozen=True):
    """Where a file is, and the parts that its name has on the disk."""

    protocol: str
    """`web` or `file`."""
    host: str
    """With its port; not checked."""
    namespace: str
    model: str
    tag: str
    path: str
    """As it is asked for: with a slash at its beginning, and with the query."""


def read_address(scheme: str, rest: str) -> FileAddress | None:
    """Read an address; None if it is none of a file, but perhaps a name.

    Args:
        scheme: `https`, `http` or `file`, in small letters.
        rest: what comes after `://`.

    Raises:
        RequestError: `invalid model name`: it is one that nobody can ask for.
    """
    host, slash, path = rest.partition("/")
    shown, question, query = path.partition("?")
    if scheme == FILE:
        if host not in ("", _THIS_MACHINE) or question or not shown.strip("/"):
            raise RequestError(
                "invalid model name: write the address of a file on the server as file:///folder/file",
                reason="file:// with another host, a query, or no path",
            )
        host, shown = _THIS_MACHINE, shown.rstrip("/")
    elif not shown.partition("#")[0].lower().endswith(_ENDINGS):
        return None
    elif len(path) > _LONGEST or not path.isascii() or _NOT_IN_ADDRESSES.search(path):
        raise RequestError(
            "invalid model name: write blanks, #, \\ and letters beyond ASCII in an address as %20 and the like",
            reason=f"in the path of an address at {host[:100]!r}",
        )
    asked = f"{slash}{shown}{question}{query}"
    protocol = FILE if scheme == FILE else WEB
    folders, _, name = shown.rpartition("/")
    folder, name = unquote(folders.rpartition("/")[2]), unquote(name)
    for ending in _ENDINGS:
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    return FileAddress(
        protocol=protocol,
        host=host,
        namespace=_legal(folder, _NOT_IN_FOLDERS),
        model=_legal(name, _NOT_IN_NAMES),
        tag=sha256(f"{protocol}:{asked}".encode()).hexdigest()[:_TAG_DIGITS],
        path=asked,
    )


def _legal(text: str, foreign: re.Pattern[str]) -> str:
    """What names allow of it."""
    return foreign.sub("-", text).strip("-.")[:_LONGEST_PART] or _UNSAID
