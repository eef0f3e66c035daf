"""Short questions to an upstream, before any model of it is loaded."""

from typing import Final, Self, TypeVar

import httpx
import msgspec

from camelid.contracts.distribution.answers import read_limited
from camelid.errors import RegistryError
from camelid.types.json import JsonObject
from camelid_upstream.allowed import Upstream
from camelid_upstream.failures import no_answer, refused

__all__ = ("Asking",)

_SECONDS: Final = 30.0
_MOST_BYTES: Final = 16 << 20
_T = TypeVar("_T")


class _Listed(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    """What `/v1/models` says."""

    data: tuple[_Listed, ...]


class Asking:
    """A connection to one upstream; leaving the context closes it."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        headers = {"Accept-Encoding": "identity", **upstream.headers()}
        self._http = httpx.Client(base_url=upstream.address, headers=headers, timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def models(self) -> list[str]:
        """What it calls its models.

        Raises:
            RegistryError: it does not say.
        """
        status, content = self._send("/v1/models", None)
        if status != httpx.codes.OK:
            raise RegistryError(refused(self.upstream, status, content).message)
        found = _decoded(_List, content)
        if found is None:
            raise RegistryError(f"{self.upstream} has no list of models at /v1/models: correct its address")
        return [model.id for model in found.data]

    def perhaps(self, kind: type[_T], path: str, body: JsonObject | None = None) -> _T | None:
        """The answer at a path that not every server has, of a GET or, with a body, of a POST.

        Raises:
            RegistryError: the upstream is gone.
        """
        status, content = self._send(path, body)
        return _decoded(kind, content) if status == httpx.codes.OK else None

    def _send(self, path: str, body: JsonObject | None) -> tuple[int, bytes]:
        try:
            with self._http.stream("GET" if body is None else "POST", path, json=body) as response:
                content = read_limited(response, _MOST_BYTES)
        except httpx.HTTPError as error:
            failure = no_answer(self.upstream, error)
            raise RegistryError(failure.message, reason=failure.reason) from error
        if content is None:
            raise RegistryError(f"{response.request.url} says more than anybody would read")
        return response.status_code, content


def _decoded(kind: type[_T], content: bytes) -> _T | None:
    """None where it is something else, as of servers that have a page for every path."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
