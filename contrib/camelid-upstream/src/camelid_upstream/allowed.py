"""The upstreams that the operator of this server lets it ask. Models name one of them, and never an address.

The variable `UPSTREAMS` lists them: `lab=http://127.0.0.1:8080, big=https://llm.example.org`. The key of `big` is in
`UPSTREAM_KEY_BIG`; it is read when it is sent, and stands in no object that an error or a log could show.
"""

import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from camelid.errors import ConfigurationError

__all__ = ("VARIABLE", "Upstream", "allowed_upstreams")

VARIABLE: Final = "UPSTREAMS"

_KEY: Final = "UPSTREAM_KEY_"
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Upstream(msgspec.Struct, frozen=True):
    """A server that may be asked."""

    name: str
    address: str
    """Scheme, host, port, perhaps a path; without `/v1`."""

    def __str__(self) -> str:
        """How errors call it."""
        return f"the upstream {self.name} at {self.address}"

    @property
    def key_variable(self) -> str:
        """The variable that its key is in."""
        return _KEY + self.name.upper().replace("-", "_")

    def headers(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What proves who asks; nothing if there is no key.

        Raises:
            ConfigurationError: the key is none.
        """
        key = environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError(f"the variable {self.key_variable} is no key: it has letters that no key has")
        return {"Authorization": f"Bearer {key}"} if key else {}


def allowed_upstreams(environ: Mapping[str, str] = os.environ) -> dict[str, Upstream]:
    """All of them by name.

    Raises:
        ConfigurationError: the variable cannot be read. It is not quoted: somebody may have put a password there.
    """
    entries = environ.get(VARIABLE, "").replace(",", " ").split()
    found = [_read_entry(place, *entry.partition("=")) for place, entry in enumerate(entries, 1)]
    return {upstream.name: upstream for upstream in found}


def _read_entry(place: int, name: str, _: str, address: str) -> Upstream:
    try:
        parts = urlsplit(address)
        wrong = parts.port == 0 or parts.scheme not in ("http", "https") or not parts.hostname
    except ValueError:  # a port that is no number
        wrong = True
    else:
        wrong = wrong or "@" in parts.netloc or bool(parts.query or parts.fragment)
    if wrong or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"entry {place} of the variable {VARIABLE} is not NAME=http://HOST:PORT or NAME=https://HOST, with a name"
            f" of small letters, digits and hyphens; a key belongs into the variable {_KEY}NAME"
        )
    return Upstream(name, address.rstrip("/").removesuffix("/v1"))
