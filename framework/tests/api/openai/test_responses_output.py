"""Answers as output items, and the events that tell of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.api.openai.responses_items import MessageItem, ResponseReply
from camelid.api.openai.responses_output import Answer
from camelid.errors import ServerBusyError, WorkerDiedError
from camelid.types.generation import Completion, FinishReason, GenerationChunk, Timings, TokenLogprob
from camelid.types.messages import FunctionCall, Message, ToolCall

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
reasons = st.sampled_from([FinishReason.STOP, FinishReason.LENGTH])


def answered(
    *chunks: GenerationChunk, reason: FinishReason = FinishReason.STOP, **namespaces: tuple[str, str]
) -> Answer:
    answer = Answer(ResponseReply(model="m"), namespaces, stream=True)
    for chunk in (*chunks, GenerationChunk(completion=Completion(reason, Timings(7, 3, 1, 5)))):
        answer.piece(chunk)
    return answer


def parsed(stream: bytes) -> list[dict]:
    found = []
    for text in stream.decode().split("\n\n")[:-1]:
        name, _, data = text.partition("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def grow(item: dict, kind: str, event: dict) -> None:
    """What an event adds to the item that it is about."""
    match kind:
        case "content_part.added":
            item["content"].append(event["part"])
        case "reasoning_summary_part.added":
            item["summary"].append(event["part"])
        case "output_text.delta":
            item["content"][event["content_index"]]["text"] += event["delta"]
        case "reasoning_summary_text.delta":
            item["summary"][event["summary_index"]]["text"] += event["delta"]
        case "function_call_arguments.delta":
            item["arguments"] += event["delta"]


TOLD_AGAIN = {
    "output_text.done": lambda item, event: (event["text"], item["content"][0]["text"]),
    "reasoning_summary_text.done": lambda item, event: (event["text"], item["summary"][0]["text"]),
    "content_part.done": lambda item, event: (event["part"], item["content"][0]),
    "reasoning_summary_part.done": lambda item, event: (event["part"], item["summary"][0]),
    "function_call_arguments.done": lambda item, event: (event["arguments"], item["arguments"]),
}


def followed(events: list[dict]) -> list[dict]:
    """The output items that a client makes of the events between the first two and the last."""
    output: list[dict] = []
    for event in events:
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            output.append(event["item"])
        assert event["output_index"] == len(output) - 1
        assert event.get("item_id", output[-1]["id"]) == output[-1]["id"]
        grow(output[-1], kind, event)
        if kind in TOLD_AGAIN:
            told, known = TOLD_AGAIN[kind](output[-1], event)
            assert told == known
        if kind == "output_item.done":
            changed = {"status": "", "encrypted_content": ""}
            assert {**output[-1], **changed} == {**event["item"], **changed}
            output[-1] = event["item"]
    return output


@given(pieces, reasons)
def test_the_events_of_an_answer_make_the_whole_of_it(chunks, reason):
    created, in_progress, *events, end = parsed(answered(*chunks, reason=reason).written())
    assert [created["type"], in_progress["type"]] == ["response.created", "response.in_progress"]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    assert end["type"] == f"response.{end['response']['status']}"
    assert followed(events) == end["response"]["output"]
    kinds = [(bool(chunk.thinking), bool(chunk.content), bool(chunk.tool_calls)) for chunk in chunks]
    expected = [kind for place, kind in enumerate(kinds) if kind[2] or place == 0 or kind != kinds[place - 1]]
    assert len(end["response"]["output"]) == len(expected)


def test_items():
    call = ToolCall(FunctionCall("ns.f", {"a": 1}), "call_1")
    answer = answered(
        GenerationChunk(thinking="H"),
        GenerationChunk(thinking="m."),
        GenerationChunk(content="So: "),
        GenerationChunk(tool_calls=(call,)),
        **{"ns.f": ("ns", "f")},
    )
    end = parsed(answer.written())[-1]["response"]
    thoughts, text, called = end["output"]
    assert thoughts.pop("id").startswith("rs_")
    assert thoughts == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "Hm.",
    }
    assert text.pop("id").startswith("msg_")
    assert text == {
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "So: ", "annotations": [], "logprobs": []}],
    }
    assert called.pop("id").startswith("fc_")
    assert called == {
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "f",
        "arguments": '{"a":1}',
        "namespace": "ns",
    }
    assert answer.message() == Message("assistant", "So: ", thinking="Hm.", tool_calls=(call,))
    assert end["usage"] == {
        "input_tokens": 7,
        "output_tokens": 5,
        "total_tokens": 12,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def test_an_answer_that_is_cut_off():
    end = parsed(answered(GenerationChunk(content="So"), reason=FinishReason.LENGTH).written())[-1]
    assert end["type"] == "response.incomplete"
    assert end["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert end["response"]["output"][0]["status"] == "incomplete"
    assert end["response"]["completed_at"] is None


def test_logprobs_come_with_the_text_they_are_of():
    first, second = TokenLogprob(1, -0.5, b"S"), TokenLogprob(2, -0.25, b"o")
    answer = answered(GenerationChunk(logprobs=(first,)), GenerationChunk(content="So", logprobs=(second,)))
    events = parsed(answer.written())
    (part,) = events[-1]["response"]["output"][0]["content"]
    assert [entry["token"] for entry in part["logprobs"]] == ["S", "o"]
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert deltas[0]["logprobs"] == part["logprobs"]
    assert part["logprobs"][1] == {"token": "o", "logprob": -0.25, "bytes": [111], "top_logprobs": []}


def tokens(*texts: str) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(place, -1.0, text.encode()) for place, text in enumerate(texts))


def test_logprobs_of_thoughts_calls_and_their_marks_are_not_those_of_the_text():
    answer = answered(
        GenerationChunk(logprobs=tokens("<think>")),
        GenerationChunk(thinking="Hm", logprobs=tokens("H", "m")),
        GenerationChunk(logprobs=tokens("</think>", "\n\n")),
        GenerationChunk(content="Sé", logprobs=tokens("S", "é")),
        GenerationChunk(logprobs=tokens("<tool_call>", "{}")),
        GenerationChunk(tool_calls=(ToolCall(FunctionCall("f")),), logprobs=tokens("</tool_call>")),
        # At once, as a fast model says it: all tokens come with the first piece.
        GenerationChunk(thinking="So", logprobs=tokens("<think>", "So", "</think>", "Bye", "!")),
        GenerationChunk(content="Bye!"),
    )
    parts = [part for item in answer.reply.output if isinstance(item, MessageItem) for part in item.content]
    assert [[entry.token for entry in part.logprobs] for part in parts] == [["S", "é"], ["Bye", "!"]]


@pytest.mark.parametrize(
    ("error", "code"), [(WorkerDiedError("it died"), "server_error"), (ServerBusyError("later"), "rate_limit_exceeded")]
)
def test_a_failure(error, code):
    answer = Answer(ResponseReply(model="m"), {}, stream=True)
    answer.piece(GenerationChunk(content="So"))
    answer.fail(error)
    *_, done, end = parsed(answer.written())
    assert (done["type"], done["item"]["status"]) == ("response.output_item.done", "incomplete")
    assert end["type"] == "response.failed"
    assert end["response"]["status"] == "failed"
    assert end["response"]["error"] == {"code": code, "message": str(error)}


def test_a_failure_before_the_first_piece():
    answer = Answer(ResponseReply(model="m"), {}, stream=True)
    answer.fail(WorkerDiedError("it died"))
    kinds = [event["type"] for event in parsed(answer.written())]
    assert kinds == ["response.created", "response.in_progress", "response.failed"]


def test_nothing_is_written_where_nobody_reads():
    answer = Answer(ResponseReply(model="m"), {}, stream=False)
    answer.piece(GenerationChunk(content="So"))
    answer.cancel()
    assert (answer.written(), answer.reply.status, len(answer.reply.output)) == (b"", "cancelled", 1)
