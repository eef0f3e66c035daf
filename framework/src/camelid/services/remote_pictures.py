"""Pictures that a request names by address instead of holding them. Ollama refuses all of these (contract 9.2)."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from camelid.errors import RequestError

if TYPE_CHECKING:
    import httpx

__all__ = ("RemotePictures",)

_MOST: Final = 20
"""Pictures of one request."""
_LARGEST: Final = 20 << 20
"""Bytes of one picture."""
_LARGEST_SUM: Final = 64 << 20
"""Bytes of all pictures of one request."""
_SECONDS: Final = 30
"""For all pictures of one request."""
_MOST_HOPS: Final = 5
_PLAIN: Final = {"Accept-Encoding": "identity"}
"""Pictures are compressed as they are."""


class RemotePictures:
    """Loads the pictures of one request, one after the other, from the hosts that the settings allow.

    Whoever may send requests can make the server send some, and learns from the answers what is there: hence the list.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        """Bind.

        Args:
            hosts: names, or names with ports.
        """
        self._hosts = frozenset(host.lower() for host in hosts)
        self._number = 0
        self._size = 0
        self._until: float | None = None

    async def load(self, url: str) -> bytes:
        """The file at `url`, which may send on to other places that are allowed.

        Raises:
            RequestError: the place is not allowed, does not answer, or what it has is too large; or the request names
                too many pictures, or such as take too long.
        """
        import httpx  # noqa: PLC0415 - most servers allow no host, and never need it

        self._check(url)
        self._number += 1
        if self._number > _MOST:
            raise RequestError(f"a request may name at most {_MOST} pictures by their addresses: send others in base64")
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + _SECONDS
        try:
            # In a thread: it reads the certificates of all authorities.
            async with asyncio.timeout_at(self._until), await asyncio.to_thread(httpx.AsyncClient) as client:
                for _ in range(_MOST_HOPS):
                    async with client.stream("GET", url, headers=_PLAIN) as answer:
                        if answer.has_redirect_location:
                            url = urljoin(url, answer.headers["location"])
                            self._check(url)
                            continue
                        answer.raise_for_status()
                        return await self._read(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            raise RequestError(f"the picture at {url} could not be loaded", reason=repr(error)) from error
        raise RequestError(f"the picture at {url} could not be loaded: it is moved again and again")

    def _check(self, url: str) -> None:
        if not self._hosts:
            raise RequestError("image URLs are not currently supported, please use base64 encoded data instead")
        try:
            parts = urlsplit(url)
            place = parts.netloc.rpartition("@")[2].lower()
            allowed = parts.scheme in ("http", "https") and bool({place, parts.hostname} & self._hosts)
        except ValueError:
            allowed = False
        if not allowed:
            raise RequestError(
                f"pictures are not loaded from {url[:200]}: add its host to the server's setting image_hosts,"
                " or send the picture itself, in base64"
            )

    async def _read(self, answer: "httpx.Response") -> bytes:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise ValueError("it is compressed, and might be far larger than it says")
        parts: list[bytes] = []
        size = 0
        async for part in answer.aiter_raw():
            parts.append(part)
            size += len(part)
            self._size += len(part)
            if size > _LARGEST:
                raise RequestError(f"the picture at {answer.url} has more than {_LARGEST} bytes")
            if self._size > _LARGEST_SUM:
                raise RequestError(f"the pictures that the request names have more than {_LARGEST_SUM} bytes in all")
        return b"".join(parts)
