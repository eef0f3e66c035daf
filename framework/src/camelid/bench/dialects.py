"""The dialects that servers speak: Ollama's, and OpenAI's, which llama-server, vLLM and most others know."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import httpx
import msgspec

from camelid.bench.target import Ask, BenchError, Piece, Target
from camelid.types.json import JsonObject

__all__ = ("OllamaTarget", "OpenAITarget", "find_target")


class _Content(msgspec.Struct, frozen=True):
    content: str | None = None


class _ChatLine(msgspec.Struct):
    message: _Content = _Content()
    done: bool = False
    eval_count: int = 0
    error: str = ""


class _Embeddings(msgspec.Struct):
    embeddings: list[list[float]]


class OllamaTarget(Target):
    """`/api/chat` and `/api/embed`."""

    async def stream(self, ask: Ask) -> AsyncGenerator[Piece, None]:
        """Lines of JSON; the last has `eval_count`."""
        options: JsonObject = {
            **self.options,
            "num_predict": ask.tokens,
            "seed": ask.seed,
            "temperature": ask.temperature,
        }
        body: JsonObject = {"model": self.model, "messages": msgspec.to_builtins(ask.turns), "options": options}
        if ask.schema is not None:
            body["format"] = ask.schema
        async with aclosing(self.lines("/api/chat", body)) as lines:
            async for text in lines:
                line = msgspec.json.decode(text, type=_ChatLine)
                if line.error:
                    raise BenchError(f"{self.label}: {line.error}")
                yield Piece(line.message.content or "", line.eval_count if line.done else None)

    async def embed(self, texts: Sequence[str]) -> int:
        """`/api/embed`."""
        body: JsonObject = {"model": self.model, "input": list(texts), "options": self.options}
        return len(msgspec.json.decode(await self.post("/api/embed", body), type=_Embeddings).embeddings)

    async def unload(self) -> bool:
        """A request with `keep_alive` 0."""
        await self.post("/api/generate", {"model": self.model, "keep_alive": 0})
        return True


class _Choice(msgspec.Struct):
    delta: _Content = _Content()


class _Usage(msgspec.Struct):
    completion_tokens: int


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None


class _Vectors(msgspec.Struct):
    data: list[msgspec.Raw]


class OpenAITarget(Target):
    """`/v1/chat/completions` and `/v1/embeddings`."""

    async def stream(self, ask: Ask) -> AsyncGenerator[Piece, None]:
        """Server-sent events; the last has the usage."""
        body: JsonObject = {
            "model": self.model,
            "messages": msgspec.to_builtins(ask.turns),
            "max_tokens": ask.tokens,
            "seed": ask.seed,
            "temperature": ask.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.schema is not None:
            schema: JsonObject = {"name": "answer", "schema": ask.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        async with aclosing(self.lines("/v1/chat/completions", body)) as lines:
            async for text in lines:
                data = text.removeprefix("data:").strip()
                if not text.startswith("data:") or data == "[DONE]":
                    continue
                event = msgspec.json.decode(data, type=_Event)
                said = "".join(choice.delta.content or "" for choice in event.choices)
                yield Piece(said, event.usage.completion_tokens if event.usage else None)

    async def embed(self, texts: Sequence[str]) -> int:
        """`/v1/embeddings`."""
        answer = await self.post("/v1/embeddings", {"model": self.model, "input": list(texts)})
        return len(msgspec.json.decode(answer, type=_Vectors).data)


async def find_target(label: str, url: str, model: str, options: JsonObject | None = None) -> Target:
    """A target in the dialect that the server speaks.

    Raises:
        BenchError: nobody answers there.
    """
    ollama = OllamaTarget(label, url, model, options)
    try:
        answer = await ollama.http.get("/api/version")
    except httpx.HTTPError as error:
        await ollama.close()
        raise BenchError(f"no server answers at {url}", reason=repr(error)) from error
    if answer.status_code == 200 and b'"version"' in answer.content:
        return ollama
    await ollama.close()
    return OpenAITarget(label, url, model)
