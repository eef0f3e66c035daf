"""Which browser origins may use the API (contract 1.7)."""

from collections.abc import Iterable

from camelid.errors import ConfigurationError

__all__ = ("Origins",)

_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 - names in an allow list, nothing is bound
_DEFAULTS = (
    *(f"{scheme}://{host}{port}" for host in _HOSTS for port in ("", ":*") for scheme in ("http", "https")),
    "app://*",
    "file://*",
    "tauri://*",
    "vscode-webview://*",
    "vscode-file://*",
)
_SCHEMES = (
    "http://",
    "https://",
    "chrome-extension://",
    "safari-extension://",
    "moz-extension://",
    "ms-browser-extension://",
)


class Origins:
    """A set of origins, some with one `*` in them."""

    def __init__(self, configured: Iterable[str]) -> None:
        """The configured origins and the local ones, which are always allowed.

        Raises:
            ConfigurationError: an entry has an unknown scheme or more than one `*`.
        """
        entries = [*(entry.strip().lower() for entry in configured if entry.strip()), *_DEFAULTS]
        for entry in entries:
            _check(entry)
        self.any = "*" in entries
        """Everybody is allowed, by a bare `*`."""
        self._exact = frozenset(entry for entry in entries if "*" not in entry)
        self._patterns = tuple((head, tail) for head, star, tail in (entry.partition("*") for entry in entries) if star)

    def __contains__(self, origin: str) -> bool:
        """Whether a page of this origin may use the API."""
        return origin in self._exact or any(
            origin.startswith(head) and origin.endswith(tail) for head, tail in self._patterns
        )


def _check(entry: str) -> None:
    if entry.count("*") > 1:
        raise ConfigurationError(f"the origin {entry!r} has more than one '*'; write an entry for each of its forms")
    if "*" not in entry and not entry.startswith(_SCHEMES):
        raise ConfigurationError(f"the origin {entry!r} must contain a '*' or begin with one of {', '.join(_SCHEMES)}")
