import asyncio

import pytest

from camelid.errors import NotFoundError, RequestError
from camelid.services.kept_responses import KeptResponse, KeptResponses
from camelid.types.messages import FunctionCall, Message, ToolCall


def kept(size: int) -> KeptResponse:
    return KeptResponse(reply=b"x" * size)


def names(responses: KeptResponses, *asked: str) -> list[str]:
    found = []
    for name in asked:
        try:
            responses.get(name)
        except NotFoundError:
            continue
        found.append(name)
    return found


def test_the_size_is_that_of_all_parts():
    call = ToolCall(FunctionCall("f", {"a": "bc"}))
    message = Message("assistant", "é", thinking="abc", images=(b"1234",), tool_calls=(call,))
    response = KeptResponse(reply=b"12", input_items=(b"345", b"6"), messages=(message,))
    assert response.size == 2 + 4 + 2 + 3 + 4 + len('{"a":"bc"}')


def test_what_was_not_asked_for_longest_makes_room():
    responses = KeptResponses(most=2)
    responses.put("a", kept(1))
    responses.put("b", kept(1))
    responses.get("a")
    responses.put("c", kept(1))
    assert names(responses, "a", "b", "c") == ["a", "c"]


def test_bytes_are_bounded_too():
    responses = KeptResponses(most_bytes=10)
    responses.put("a", kept(4))
    responses.put("b", kept(4))
    responses.put("b", kept(6))
    assert names(responses, "a", "b") == ["a", "b"]
    responses.put("c", kept(5))
    assert names(responses, "a", "b", "c") == ["c"]
    responses.put("c", kept(11))
    assert names(responses, "c") == []


async def test_unknown_names():
    responses = KeptResponses()
    for ask in (responses.cancel, responses.delete):
        with pytest.raises(NotFoundError, match="Response with id 'x' not found"):
            await ask("x")


async def test_what_is_being_made_can_be_cancelled_and_deleted():
    responses = KeptResponses()
    ended = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            responses.put(name, kept(2))
            ended.append(name)

    for name in ("a", "b", "c"):
        responses.put(name, kept(1))
        responses.run(name, work(name))
    await asyncio.sleep(0)
    assert (await responses.cancel("a")).reply == b"xx"
    assert (await responses.cancel("a")).reply == b"xx"
    await responses.delete("b")
    assert names(responses, "a", "b", "c") == ["a", "c"]
    await responses.close()
    assert ended == ["a", "b", "c"]


async def test_not_everything_is_made_at_once():
    responses = KeptResponses()
    for place in range(64):
        responses.run(str(place), asyncio.Event().wait())
    with pytest.raises(RequestError, match="too many responses"):
        responses.run("one more", asyncio.Event().wait())
    await responses.close()
