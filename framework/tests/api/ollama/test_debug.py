"""`_debug_render_only`: the prompt instead of an answer (contract 4.5)."""

import re

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fields", "prompt"),
    [
        ({"prompt": "Hi <b>"}, "user\\u003c|turn|\\u003eHi \\u003cb\\u003e\\u003c|answer|\\u003e"),
        ({"prompt": "Hi", "system": "S", "template": "{{ .System }}/{{ .Prompt }}"}, "S/Hi"),
        ({"prompt": "Hi", "raw": True}, "Hi"),
    ],
)
async def test_the_prompt_of_a_completion(ollama, fields, prompt, stream):
    body = {"model": "echo", "_debug_render_only": True, "stream": stream, **fields}
    reply = await ollama.post("/api/generate", json=body)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert re.sub(r'"created_at":"[^"]+Z"', "T", reply.text) == (
        f'{{"model":"echo",T,"response":"","done":false,"_debug_info":{{"rendered_template":"{prompt}"}}}}'
    )


async def test_the_prompt_of_a_chat(ollama):
    body = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}], "_DEBUG_render_only": True}
    reply = await ollama.post("/api/chat", json=body)
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    answer = reply.json()
    assert list(answer) == ["model", "created_at", "message", "done", "_debug_info"]
    assert answer["message"] == {"role": "assistant", "content": ""}
    assert answer["done"] is False
    assert answer["_debug_info"] == {"rendered_template": "user<|turn|>Hi<|answer|>"}


async def test_what_a_long_chat_loses_is_not_in_the_prompt(ollama):
    turns = [{"role": "user", "content": f"{number:02}".ljust(50, ".")} for number in range(10)]
    body = {"model": "echo", "messages": turns, "_debug_render_only": True, "options": {"num_ctx": 256}}
    prompt = (await ollama.post("/api/chat", json=body)).json()["_debug_info"]["rendered_template"]
    assert turns[0]["content"] not in prompt
    assert turns[-1]["content"] in prompt
    whole = (await ollama.post("/api/chat", json={**body, "truncate": False})).json()["_debug_info"]
    assert all(turn["content"] in whole["rendered_template"] for turn in turns)


async def test_nothing_to_render_loads(ollama):
    answer = (await ollama.post("/api/generate", json={"model": "echo", "_debug_render_only": True})).json()
    assert (answer["done"], answer["done_reason"]) == (True, "load")
