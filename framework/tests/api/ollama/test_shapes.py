"""Lines of streams that the echo model cannot cause; the examples of contract 22a."""

import re

import msgspec
import pytest

from camelid.api.encoding import encode
from camelid.api.ollama.chat import ChatShape
from camelid.api.ollama.generate import GenerateShape
from camelid.types.generation import (
    Completion,
    FinishReason,
    GenerationChunk,
    Timings,
    TokenAlternative,
    TokenLogprob,
)
from camelid.types.messages import FunctionCall, ToolCall

CALLS = (
    ToolCall(FunctionCall("get_weather", {"city": "Oslo", "a": 1}), "call_1"),
    ToolCall(FunctionCall("time", {}, 1)),
)
CALLS_JSON = (
    '[{"id":"call_1","function":{"index":0,"name":"get_weather","arguments":{"city":"Oslo","a":1}}},'
    '{"function":{"index":1,"name":"time","arguments":{}}}]'
)
END = Completion(
    FinishReason.STOP,
    Timings(
        prompt_tokens=12,
        cached_tokens=11,
        prompt_duration=2,
        generated_tokens=20,
        generation_duration=3,
        load_duration=4,
        total_duration=5,
    ),
    (1, 2),
)
METRICS_JSON = (
    '"total_duration":5,"load_duration":4,"prompt_eval_count":12,"prompt_eval_duration":2,'
    '"eval_count":20,"eval_duration":3'
)


def undated(text: bytes) -> str:
    return re.sub(r'"created_at":"[^"]+Z"', "T", text.decode())


@pytest.mark.parametrize(
    ("chunk", "line"),
    [
        (
            GenerationChunk(thinking="Let me"),
            '{"model":"m","T","message":{"role":"assistant","content":"","thinking":"Let me"},"done":false}',
        ),
        (
            GenerationChunk(tool_calls=CALLS),
            '{"model":"m","T","message":{"role":"assistant","content":"","tool_calls":CALLS},"done":false}',
        ),
        (
            GenerationChunk(content="tail", completion=END),
            '{"model":"m","T","message":{"role":"assistant","content":"tail"},"done":true,"done_reason":"stop",METRICS}',
        ),
        (
            GenerationChunk(completion=Completion(FinishReason.LENGTH, Timings(generated_tokens=1))),
            '{"model":"m","T","message":{"role":"assistant","content":""},"done":true,"done_reason":"length","eval_count":1}',
        ),
    ],
)
def test_lines_of_a_chat(chunk, line):
    expected = line.replace('"T"', "T").replace("CALLS", CALLS_JSON).replace("METRICS", METRICS_JSON)
    assert undated(ChatShape("m").line(chunk)) == expected + "\n"


@pytest.mark.parametrize(
    ("chunk", "line"),
    [
        (GenerationChunk(thinking="Let me"), '{"model":"m","T","response":"","thinking":"Let me","done":false}'),
        (
            GenerationChunk(completion=END),
            '{"model":"m","T","response":"","done":true,"done_reason":"stop","context":[1,2],METRICS}',
        ),
    ],
)
def test_lines_of_a_generation(chunk, line):
    expected = line.replace('"T"', "T").replace("METRICS", METRICS_JSON)
    assert undated(GenerateShape("m").line(chunk)) == expected + "\n"


def test_a_plain_line_is_what_the_struct_would_be():
    for shape in (ChatShape('a"<b'), GenerateShape('a"<b')):
        chunk = GenerationChunk(content='"\u2028<é\n')
        partial = shape.whole([chunk])
        assert undated(shape.line(chunk)) == undated(encode(partial) + b"\n")


def test_one_object_gathers_all_chunks():
    entry = TokenLogprob(1, -0.5, b"Hi", (TokenAlternative(1, -0.5, b"Hi"), TokenAlternative(2, -2.0, b"\xff")))
    chunks = [
        GenerationChunk(thinking="a"),
        GenerationChunk(thinking="b", logprobs=(entry,)),
        GenerationChunk(content="c", tool_calls=CALLS[:1]),
        GenerationChunk(content="d", tool_calls=CALLS[1:], logprobs=(entry,)),
        GenerationChunk(completion=END),
    ]
    whole = msgspec.json.decode(encode(ChatShape("m").whole(chunks)))
    assert (whole["message"]["content"], whole["message"]["thinking"]) == ("cd", "ab")
    assert [call["function"]["index"] for call in whole["message"]["tool_calls"]] == [0, 1]
    assert whole["done"]
    assert len(whole["logprobs"]) == 2
    assert whole["logprobs"][0] == {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [
            {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]},
            {"token": "\ufffd", "logprob": -2.0, "bytes": [255]},
        ],
    }
    text = msgspec.json.decode(encode(GenerateShape("m").whole(chunks)))
    assert (text["response"], text["thinking"], text["context"], text["eval_count"]) == ("cd", "ab", [1, 2], 20)
