"""Answers as content blocks, whole and as events."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from camelid.api.anthropic.reply import MessageEvents, MessageReply, whole_message
from camelid.services.chat import ChatRequest
from camelid.types.generation import Completion, FinishReason, GenerationChunk, Timings
from camelid.types.messages import FunctionCall, ToolCall

texts = st.text(min_size=1, max_size=8)
calls = st.builds(
    lambda name, arguments: ToolCall(FunctionCall(name, arguments), f"call_{name}"),
    texts,
    st.dictionaries(texts, st.none() | st.integers(-5, 5) | texts, max_size=2),
)
pieces = st.lists(
    st.builds(GenerationChunk, content=texts)
    | st.builds(GenerationChunk, thinking=texts)
    | st.builds(GenerationChunk, tool_calls=st.tuples(calls)),
    max_size=8,
)
ends = st.builds(
    Completion, st.sampled_from([FinishReason.STOP, FinishReason.LENGTH]), st.just(Timings(7, 3, 1, 5)), stop=texts
)


def parsed(stream: bytes) -> list[dict]:
    """The events of a stream; the name of each is its type."""
    found = []
    for text in stream.decode().split("\n\n")[:-1]:
        name, _, data = text.partition("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def followed(events: list[dict]) -> dict:
    """The message that a client makes of a stream."""
    message, written = {}, ""
    for event in events:
        match event["type"]:
            case "message_start":
                assert not message
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
                written = ""
            case "content_block_delta":
                assert event["index"] == len(message["content"]) - 1
                block, delta = message["content"][-1], event["delta"]
                match delta.pop("type"):
                    case "input_json_delta":
                        written += delta["partial_json"]
                        block["input"] = json.loads(written)
                    case kind:
                        (field,) = delta
                        assert kind == f"{field}_delta"
                        block[field] += delta[field]
            case "content_block_stop":
                assert event["index"] == len(message["content"]) - 1
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    kinds = [event["type"] for event in events if event["type"] != "content_block_delta"]
    blocks = ["content_block_start", "content_block_stop"] * len(message["content"])
    assert kinds == ["message_start", *blocks, "message_delta", "message_stop"]
    return message


@given(pieces, ends, st.lists(texts, max_size=2))
def test_the_events_of_an_answer_make_the_whole_of_it(chunks, end, stops):
    chunks = [*chunks, GenerationChunk(completion=end)]
    shape = MessageEvents(ChatRequest(model="m"), stops)
    streamed = followed(parsed(shape.start() + b"".join(map(shape.piece, chunks))))
    whole = json.loads(msgspec.json.encode(whole_message("m", stops, chunks)))
    assert {**streamed, "id": ""} == {**whole, "id": ""}


def whole(*chunks: GenerationChunk, stops: tuple[str, ...] = (), **end: object) -> MessageReply:
    return whole_message("m", stops, [*chunks, GenerationChunk(completion=Completion(FinishReason.STOP, **end))])


def test_kinds_of_blocks():
    call = ToolCall(FunctionCall("f", {"a": 1}), "call_1")
    reply = whole(
        GenerationChunk(thinking="H"),
        GenerationChunk(thinking="m."),
        GenerationChunk(content="So: "),
        GenerationChunk(tool_calls=(call, call)),
    )
    used = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}
    assert msgspec.to_builtins(reply.content) == (
        {"type": "thinking", "thinking": "Hm.", "signature": "camelid"},
        {"type": "text", "text": "So: "},
        used,
        used,
    )
    assert reply.stop_reason == "tool_use"


def test_why_it_ended():
    assert (whole().stop_reason, whole().stop_sequence, whole().content) == ("end_turn", None, ())
    stopped = whole(stops=("x", "."), stop=".")
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", ".")
    # One of the model's own parameters is no stop sequence of the client's.
    assert (whole(stop="<end>").stop_reason, whole(stop="<end>").stop_sequence) == ("end_turn", None)
    assert whole(stops=("",)).stop_reason == "end_turn"
    cut = whole_message("m", (), [GenerationChunk(completion=Completion(FinishReason.LENGTH))])
    assert cut.stop_reason == "max_tokens"
