"""A server and a model on it that are measured."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence

import httpx
import msgspec

from camelid.errors import CamelidError
from camelid.types.json import JsonObject

__all__ = ("Ask", "BenchError", "Piece", "Target", "Turn")


class BenchError(CamelidError):
    """A server that is measured does not answer as it should."""

    status = 502


class Turn(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    role: str
    content: str


class Ask(msgspec.Struct, frozen=True):
    """One answer to ask for."""

    turns: tuple[Turn, ...]
    tokens: int
    """Longest answer."""
    seed: int = 1
    temperature: float = 0.8
    schema: JsonObject | None = None
    """JSON Schema that the answer is held to."""


class Piece(msgspec.Struct, frozen=True):
    """A part of an answer as it came."""

    text: str
    tokens: int | None = None
    """Of the whole answer; known from the last piece."""


class Target(ABC):
    """Speaks one dialect to one server."""

    def __init__(self, label: str, url: str, model: str, options: JsonObject | None = None) -> None:
        """Prepare; nothing is sent yet.

        Args:
            label: what the tables call it.
            url: where the server is.
            model: the model's name there.
            options: sent with every request, if the dialect knows such.
        """
        self.label = label
        self.url = url
        self.model = model
        self.options = options or {}
        limits = httpx.Limits(max_connections=None)
        # The environment's proxies are for the world; they would only be measured too.
        self.http = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(600), limits=limits, trust_env=False)

    @abstractmethod
    def stream(self, ask: Ask) -> AsyncGenerator[Piece, None]:
        """The answer, piece by piece; the last one knows how many tokens there were.

        Raises:
            BenchError: the server refuses, or says nothing sensible.
        """

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> int:
        """Embed texts in one request; how many vectors came back.

        Raises:
            BenchError: the server refuses.
        """

    async def unload(self) -> bool:
        """Make the server forget the model; False if the dialect has no word for that."""
        return False

    async def lines(self, path: str, body: JsonObject) -> AsyncGenerator[str, None]:
        """The lines of a streamed answer.

        Raises:
            BenchError: another status than 200, or no answer.
        """
        try:
            async with self.http.stream("POST", path, json=body) as answer:
                if answer.status_code != 200:
                    text = (await answer.aread()).decode("utf-8", "replace")
                    raise BenchError(f"{self.label}: {path} answers {answer.status_code}: {text[:300]}")
                async for line in answer.aiter_lines():
                    yield line
        except httpx.HTTPError as error:
            raise BenchError(f"{self.label}: {path} failed", reason=repr(error)) from error

    async def post(self, path: str, body: JsonObject) -> bytes:
        """A whole answer.

        Raises:
            BenchError: another status than 200, or no answer.
        """
        try:
            answer = await self.http.post(path, json=body)
        except httpx.HTTPError as error:
            raise BenchError(f"{self.label}: {path} failed", reason=repr(error)) from error
        if answer.status_code != 200:
            raise BenchError(f"{self.label}: {path} answers {answer.status_code}: {answer.text[:300]}")
        return answer.content

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()
