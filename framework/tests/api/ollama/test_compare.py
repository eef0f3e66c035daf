import json

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def lines(client, **body):
    async with client.stream("POST", "/api/compare", json=body) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) async for line in reply.aiter_lines()]


async def test_a_line_for_each_event(ollama):
    found = await lines(ollama, models=["echo", "camelid/echo"], prompts=["abc def"], tokens=5)
    kinds = [key for line in found for key in line if key not in ("prompt", "target")]
    assert kinds[0] == "loaded"
    assert [kind for kind in kinds if kind != "text"] == ["loaded", "answer", "loaded", "answer", "agreement"]
    assert [line["target"] for line in found] == sorted(line["target"] for line in found)
    answers = [line["answer"] for line in found if "answer" in line]
    for target, answer in enumerate(answers):
        text = "".join(line.get("text", "") for line in found if line["target"] == target)
        assert (answer["text"], answer["tokens"], answer["finish"]) == (text, 5, "length")
        assert answer["first_token"] > 0
    agreement = found[-1]["agreement"]
    assert (agreement["same_text"], agreement["same_tokens"], agreement["same_top"]) == (True, 5, 1.0)
    assert [position["divergence"] for position in agreement["positions"]] == pytest.approx([0] * 5, abs=1e-6)


async def test_each_model_is_asked_on_each_backend_and_there_is_a_prompt_for_who_has_none(ollama):
    found = await lines(ollama, models=["echo"], backends=["echo", "echo"], tokens=1)
    assert {(line["prompt"], line["target"]) for line in found} == {(0, 0), (0, 1)}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "models is required: name one or more models to compare"),
        ({"models": ["nope"]}, 404, "model 'nope' not found"),
        ({"models": ["echo"], "tokens": 5000}, 400, "tokens must be between 1 and 1024"),
        ({"models": ["echo"], "backends": ["nope"]}, 400, "there is no backend 'nope'"),
        ({"models": ["echo"], "options": {"num_ctx": "a"}}, 500, 'option "num_ctx" must be of type integer'),
    ],
)
async def test_errors(ollama, body, status, error):
    reply = await ollama.post("/api/compare", json=body)
    assert reply.status_code == status
    assert reply.json()["error"].startswith(error)
