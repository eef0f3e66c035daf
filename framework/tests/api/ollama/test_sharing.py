"""Names of one file share a worker, but neither system text nor template (contract 7.2, 16.3)."""

import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def running(client) -> list[str]:
    return [model["name"] for model in (await client.get("/api/ps")).json()["models"]]


async def test_two_names_share_a_worker_but_not_their_texts(ollama):
    made = {"model": "told", "from": "echo", "system": "Be brief.", "template": "{{ .System }}/{{ .Prompt }}"}
    (await ollama.post("/api/create", json={**made, "stream": False})).raise_for_status()
    first = (await ollama.post("/api/generate", json={"model": "echo", "prompt": "x", "stream": False})).json()
    assert first["response"] == "x"
    debug = {"prompt": "x", "_debug_render_only": True}
    prompts = [
        (await ollama.post("/api/generate", json={"model": name, **debug})).json()["_debug_info"]["rendered_template"]
        for name in ("told", "echo")
    ]
    assert prompts == ["Be brief./x", "user<|turn|>x<|answer|>"]
    assert await running(ollama) == ["echo:latest"]
    unloaded = await ollama.post("/api/generate", json={"model": "told", "keep_alive": 0})
    assert unloaded.json()["done_reason"] == "unload"
    for _ in range(1000):
        if not await running(ollama):
            break
        await asyncio.sleep(0.01)
    assert await running(ollama) == []
