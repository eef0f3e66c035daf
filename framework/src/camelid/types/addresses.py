"""Where a server listens and its clients find it: the forms of `OLLAMA_HOST` (contract 18)."""

from ipaddress import ip_address

import msgspec

from camelid.errors import ConfigurationError

__all__ = ("Address", "parse_address")

_DEFAULT_HOST = "127.0.0.1"
_ALL_INTERFACES = "0.0.0.0"  # noqa: S104 - what an empty host means, as in Go; the default is loopback
_DEFAULT_PORTS = {"": 11434, "http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True):
    """A parsed `host` setting."""

    host: str
    """Name or IP address; IPv6 without brackets."""
    port: int
    """0 = any free port."""
    scheme: str = "http"
    path: str = ""
    """Prefix of every path; for clients behind a proxy. Without a slash at its end."""

    @property
    def url(self) -> str:
        """For clients: the addresses that mean "all interfaces" are replaced by loopback."""
        host = {_ALL_INTERFACES: _DEFAULT_HOST, "::": "::1"}.get(self.host, self.host)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{self.path}"


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def parse_address(text: str) -> Address:
    """Read `host`, `host:port`, `:port` (all interfaces), `[::1]:port`, or a URL.

    Raises:
        ConfigurationError: the port is no number from 0 to 65535, or the scheme is neither http nor https.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme not in ("http", "https"):
        raise ConfigurationError(f"the address {text!r} must begin with http:// or https://")
    authority, _, path = rest.partition("/")
    host, colon, port_text = authority.rpartition(":")
    if not colon or _is_ip(authority.strip("[]")):
        host, port_text = authority or _DEFAULT_HOST, ""
    port = _DEFAULT_PORTS[scheme]
    if colon and port_text:
        if not (port_text.isascii() and port_text.isdecimal() and int(port_text) <= 65535):
            raise ConfigurationError(f"the port in the address {text!r} must be a number from 0 to 65535")
        port = int(port_text)
    path = path.strip("/")
    return Address(
        host=host.strip("[]") or _ALL_INTERFACES,
        port=port,
        scheme=scheme or "http",
        path=f"/{path}" if path else "",
    )
