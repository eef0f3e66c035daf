import asyncio
import json
import re

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATED_AT = re.compile(r'"created_at":"[^"]+"')
HELLO = {"role": "User", "content": "Hello"}


async def chat(client, *messages, **fields):
    return await client.post("/api/chat", json={"model": "echo", "messages": messages, **fields})


async def test_a_stream(ollama):
    reply = await chat(ollama, {"role": "user", "content": "a&b"})
    assert reply.headers["content-type"] == "application/x-ndjson"
    *pieces, last = reply.text.splitlines()
    # How many characters a line has depends on the machine's speed; the last one may have some too.
    form = r'\{"model":"echo",T,"message":\{"role":"assistant","content":"[^"]+"\},"done":false\}'
    assert all(re.fullmatch(form, CREATED_AT.sub("T", piece)) for piece in pieces)
    assert "".join(re.findall(r'"content":"([^"]*)"', reply.text)) == r"a\u0026b"
    end = json.loads(last)
    assert list(end) == [
        *("model", "created_at", "message", "done", "done_reason", "total_duration", "load_duration"),
        *("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"),
    ]
    assert (list(end["message"]), end["done_reason"]) == (["role", "content"], "stop")


async def test_one_object(ollama):
    reply = await chat(ollama, {"role": "system", "content": "be nice"}, HELLO, stream=False)
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.json()["message"] == {"role": "assistant", "content": "Hello"}
    assert reply.json()["eval_count"] == 5


async def test_many_at_once_do_not_mix(ollama):
    texts = [f"answer number {number}" for number in range(12)]
    replies = await asyncio.gather(*(chat(ollama, {"role": "user", "content": text}, stream=False) for text in texts))
    assert [reply.json()["message"]["content"] for reply in replies] == texts


@pytest.mark.parametrize(("keep_alive", "reason"), [(None, "load"), (0, "unload")])
async def test_load_and_unload(ollama, keep_alive, reason):
    reply = await chat(ollama, keep_alive=keep_alive)
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert CREATED_AT.sub("T", reply.text) == (
        '{"model":"echo",T,"message":{"role":"assistant","content":""},"done":true,"done_reason":"REASON"}'.replace(
            "REASON", reason
        )
    )


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "missing request body"),
        ('{"messages":[]}', 400, "model is required"),
        ("null", 400, "model is required"),
        ("not json", 400, "invalid character 'o' in literal null (expecting 'u')"),
        ('{"model":"echo","messages":[{"role":"user"', 400, "unexpected EOF"),
        ('{"model":"nope","messages":[{"role":"user","content":"x"}]}', 404, "model 'nope' not found"),
        ('{"model":"echo","keep_alive":"300"}', 400, 'time: missing unit in duration "300"'),
        (
            '{"model":"echo","messages":[{"role":"user","content":[]}]}',
            400,
            "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
        ),
        (
            '{"model":"echo","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}',
            400,
            (
                "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments "
                "of type map[string]interface {}"
            ),
        ),
        (
            '{"model":"echo","messages":[{"role":"user","content":"x"}],"options":{"num_ctx":"4096"}}',
            500,
            'option "num_ctx" must be of type integer',
        ),
        (
            '{"model":"echo","messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f"}}]}',
            400,
            "registry.ollama.ai/library/echo:latest does not support tools",
        ),
        (
            '{"model":"echo","messages":[{"role":"user","content":"x"}],"think":true}',
            400,
            '"echo" does not support thinking',
        ),
        (
            '{"model":"x:cloud","messages":[{"role":"user","content":"x"}]}',
            403,
            "ollama cloud is disabled: remote model is unavailable",
        ),
    ],
)
async def test_errors(ollama, body, status, error):
    reply = await ollama.post("/api/chat", content=body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})


async def test_a_client_that_leaves_stops_its_generation_and_not_the_others(ollama):
    slow = {"backend_options": {"delay": 0.01}}
    await chat(ollama, options=slow)
    other = asyncio.create_task(chat(ollama, {"role": "user", "content": "still here"}, stream=False, options=slow))
    request = {"model": "echo", "messages": [{"role": "user", "content": "x" * 3000}], "options": slow}
    async with ollama.stream("POST", "/api/chat", json=request) as reply:
        await anext(reply.aiter_lines())
    assert (await other).json()["message"]["content"] == "still here"
    # Waits until the model is idle, which it would not be for half a minute if the long answer went on.
    await asyncio.wait_for(_unloaded(ollama), 15)


async def _unloaded(client) -> None:
    await chat(client, keep_alive=0)
    while (await client.get("/api/ps")).json()["models"]:  # noqa: ASYNC110 - the server has no event to wait for
        await asyncio.sleep(0.05)
