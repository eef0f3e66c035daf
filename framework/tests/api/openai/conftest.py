"""Chats with the echo model on OpenAI's endpoints."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import httpx
import pytest

Ask: TypeAlias = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def ask(ollama: httpx.AsyncClient) -> Ask:
    """Sends a chat with one question, which the echo model says again: at temperature 1, nearly always."""

    async def send(question: object = "one two three", **fields: object) -> httpx.Response:
        messages = [{"role": "user", "content": question}]
        body = {"model": "echo", "messages": messages, "temperature": 0, **fields}
        return await ollama.post("/v1/chat/completions", json=body)

    return send


@pytest.fixture
def events() -> Callable[[httpx.Response], list[dict[str, object]]]:
    """The objects in a stream, which must be whole."""

    def read(reply: httpx.Response) -> list[dict[str, object]]:
        assert reply.headers["content-type"] == "text/event-stream"
        *data, done, rest = reply.text.split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        return [json.loads(each.removeprefix("data: ")) for each in data]

    return read
