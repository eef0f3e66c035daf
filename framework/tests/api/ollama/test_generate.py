import json
import re

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATED_AT = re.compile(r'"created_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"')


async def generate(client, **fields):
    return await client.post("/api/generate", json={"model": "echo", **fields})


def lines_of(reply) -> list[dict]:
    return [json.loads(line) for line in reply.text.splitlines()]


async def test_a_stream(ollama):
    reply = await generate(ollama, prompt="Hi <b>")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/x-ndjson"
    *pieces, last = reply.text.splitlines()
    # How many characters a line has depends on the machine's speed; the last one may have some too.
    form = r'\{"model":"echo",T,"response":"[^"]+","done":false\}'
    assert all(re.fullmatch(form, CREATED_AT.sub("T", piece)) for piece in pieces)
    assert r"\u003cb\u003e" in "".join(re.findall(r'"response":"([^"]*)"', reply.text))
    assert "".join(line["response"] for line in lines_of(reply)) == "Hi <b>"
    end = json.loads(last)
    assert list(end) == [
        *("model", "created_at", "response", "done", "done_reason", "context", "total_duration", "load_duration"),
        *("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"),
    ]
    assert (end["done"], end["done_reason"]) == (True, "stop")
    assert end["prompt_eval_count"] > 0
    assert len(end["context"]) == end["prompt_eval_count"] + end["eval_count"]
    assert end["total_duration"] >= end["load_duration"] > 0


async def test_one_object(ollama):
    reply = await generate(ollama, prompt="Hello", stream=False)
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert not reply.content.endswith(b"\n")
    answer = reply.json()
    assert (answer["model"], answer["response"], answer["done"]) == ("echo", "Hello", True)


async def test_the_context_goes_round(ollama):
    first = (await generate(ollama, prompt="one", stream=False)).json()
    second = (await generate(ollama, prompt="two", context=first["context"], stream=False)).json()
    assert second["response"] == "two"
    assert second["prompt_eval_count"] > first["prompt_eval_count"] + first["eval_count"]


async def test_a_raw_prompt_gives_no_context_back(ollama):
    answer = (await generate(ollama, prompt="raw", raw=True, stream=False)).json()
    assert answer["response"] == "raw"
    assert "context" not in answer


async def test_the_length_is_limited(ollama):
    last = lines_of(await generate(ollama, prompt="abcdef", options={"num_predict": 2}))[-1]
    assert (last["done_reason"], last["eval_count"]) == ("length", 2)


async def test_a_stop_string_ends_it(ollama):
    answer = (await generate(ollama, prompt="one. two.", options={"stop": [" t"]}, stream=False)).json()
    assert (answer["response"], answer["done_reason"]) == ("one.", "stop")


async def test_logprobs_stand_in_every_line(ollama):
    reply = await generate(ollama, prompt="é", logprobs=True, top_logprobs=2)
    entries = [entry for line in lines_of(reply) for entry in line.get("logprobs", ())]
    assert [entry["bytes"] for entry in entries[:2]] == [[0xC3], [0xA9]]
    assert all(entry["logprob"] <= 0 and len(entry["top_logprobs"]) == 2 for entry in entries)
    assert list(entries[0]) == ["token", "logprob", "bytes", "top_logprobs"]
    answer = (await generate(ollama, prompt="é", logprobs=True, stream=False)).json()
    assert [entry["bytes"] for entry in answer["logprobs"][:2]] == [[0xC3], [0xA9]]
    assert "top_logprobs" not in answer["logprobs"][0]


@pytest.mark.parametrize("stream", [True, False])
async def test_load_and_unload_are_one_object(ollama, stream):
    loaded = await generate(ollama, stream=stream)
    assert loaded.headers["content-type"] == "application/json; charset=utf-8"
    assert CREATED_AT.sub("T", loaded.text) == '{"model":"echo",T,"response":"","done":true,"done_reason":"load"}'
    unloaded = await generate(ollama, stream=stream, keep_alive="0s")
    assert unloaded.headers["content-type"] == "application/json; charset=utf-8"
    assert CREATED_AT.sub("T", unloaded.text) == '{"model":"echo",T,"response":"","done":true,"done_reason":"unload"}'


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "missing request body"),
        ("{}", 404, "model '' not found"),
        ("null", 404, "model '' not found"),
        ("[]", 400, "json: cannot unmarshal array into Go value of type api.GenerateRequest"),
        ('{"model":"nope","prompt":"x"}', 404, "model 'nope' not found"),
        ('{"model":"a//b","prompt":"x"}', 400, "invalid model name"),
        (
            '{"model":"echo","prompt":"x","stream":"yes"}',
            400,
            "json: cannot unmarshal string into Go struct field GenerateRequest.stream of type bool",
        ),
        ('{"model":"echo","prompt":"x","top_logprobs":21}', 400, "top_logprobs must be between 0 and 20"),
        ('{"model":"echo","prompt":"x","keep_alive":true}', 400, "Unsupported type: 'bool'"),
        (
            '{"model":"echo","prompt":"x","images":["data:image/png;base64,AA=="]}',
            400,
            "illegal base64 data at input byte 4",
        ),
        ('{"model":"echo","prompt":"x","options":{"stop":"x"}}', 500, 'option "stop" must be of type array'),
        (
            '{"model":"echo","prompt":"x","raw":true,"system":"y"}',
            400,
            "raw mode does not support template, system, or context",
        ),
        ('{"model":"echo","prompt":"x","think":true}', 400, '"echo" does not support thinking'),
        (
            '{"model":"echo","prompt":"x","think":1}',
            400,
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
        ),
        (
            '{"model":"echo","prompt":"x","think":"x"}',
            400,
            'invalid think value: "x" (must be "high", "medium", "low", "max", true, or false)',
        ),
        (
            '{"model":"echo","prompt":"x","suffix":"y"}',
            400,
            "registry.ollama.ai/library/echo:latest does not support insert",
        ),
    ],
)
@pytest.mark.parametrize("stream", ["", '"STREAM":false,'])
async def test_errors_come_with_their_status(ollama, body, status, error, stream):
    reply = await ollama.post("/api/generate", content=body.replace("{", "{" + stream, 1) if body != "{}" else body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


async def test_old_and_unknown_fields_are_ignored(ollama):
    reply = await generate(
        ollama,
        prompt="x",
        stream=False,
        width=1,
        options={"mirostat": 1, "temperature": None, "nonsense": []},
        keep_alive=None,
    )
    assert reply.json()["response"] == "x"
