"""What registries answer, and what may go wrong on the way."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import httpx

from camelid.contracts.registry import TransientRegistryError
from camelid.errors import RegistryError

__all__ = ("connection_errors", "public_url", "read_limited", "refuse")

_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_REASON: Final = 2000
"""Bytes of an error's body that are told."""


def public_url(url: str | httpx.URL) -> str:
    """A URL for people and logs: without a query and a login, which may be secrets."""
    head, _, tail = str(url).partition("?")[0].partition("://")
    host, slash, path = tail.partition("/")
    return f"{head}://{host.rpartition('@')[2]}{slash}{path}"


def read_limited(response: httpx.Response, limit: int) -> bytes | None:
    """The body; None if it has more than `limit` bytes, of which no more were read."""
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > limit:
            return None
    return bytes(content)


def refuse(response: httpx.Response, words: str = "") -> NoReturn:
    """Say what the registry answered instead of what was asked for.

    Raises:
        TransientRegistryError: it may be better in a moment.
        RegistryError: it will not.
    """
    content = b""
    with suppress(httpx.HTTPError):
        for chunk in response.iter_raw():
            content += chunk
            if len(content) >= _LONGEST_REASON:
                break
    text = content[:_LONGEST_REASON].decode("utf-8", "replace").strip()
    kind = TransientRegistryError if response.status_code in _PASSING else RegistryError
    raise kind(
        words or f"{response.status_code}: {text}", reason=f"{public_url(response.url)}: {response.status_code} {text}"
    )


@contextmanager
def connection_errors(method: str, url: str) -> Iterator[None]:
    """Turn what httpx raises into what the contract of registries allows.

    Raises:
        OSError: the connection broke or never was.
        RegistryError: nobody can be asked at that address, or what came is no HTTP that one could ask again for.
    """
    try:
        yield
    except httpx.TimeoutException as error:
        raise TimeoutError(f'{method} "{public_url(url)}": {str(error) or "timed out"}') from error
    except httpx.UnsupportedProtocol as error:
        raise RegistryError(f'{method} "{public_url(url)}": {error}') from error
    except httpx.TransportError as error:
        raise ConnectionError(f'{method} "{public_url(url)}": {error}') from error
    except httpx.InvalidURL as error:
        raise RegistryError(f"nobody can be asked at {public_url(url)}: {error}", reason=repr(error)) from error
    except (httpx.HTTPError, UnicodeError) as error:
        raise RegistryError("the registry answered what is no HTTP", reason=f"{public_url(url)}: {error!r}") from error
