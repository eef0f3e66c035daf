"""OpenAI's responses on the wire (contract 9.6)."""

import asyncio
import json

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOW = "<|turn|>{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ .Thinking }}{{ end }}<|answer|>"
MEASURE = {
    "type": "function",
    "name": "measure",
    "parameters": {
        "type": "object",
        "properties": {"unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
        "required": ["unit"],
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(ollama):
    """Has the models `teller`, which says its prompt, and `slow`, which takes its time."""
    slow = {"draft_num_predict": 0, "backend_options": {"delay": 0.02}}
    for name, fields in (("teller", {"template": SHOW}), ("slow", {"parameters": slow})):
        body = {"model": name, "from": "camelid/echo", "stream": False, **fields}
        (await ollama.post("/api/create", json=body)).raise_for_status()
    return ollama


async def ask(client, given="Hello", **fields):
    return await client.post("/v1/responses", json={"model": "echo", "input": given, **fields})


def said(response: dict) -> str:
    return "".join(part["text"] for item in response["output"] for part in item["content"])


async def test_one_object(client):
    reply = await ask(client, instructions="Be kind.")
    assert reply.headers["content-type"] == "application/json"
    response = reply.json()
    assert list(response) == [
        *("id", "object", "created_at", "completed_at", "status", "incomplete_details", "model"),
        *("previous_response_id", "instructions", "output", "error", "tools", "tool_choice", "truncation"),
        *("parallel_tool_calls", "text", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs"),
        *("temperature", "reasoning", "usage", "max_output_tokens", "max_tool_calls", "store", "background"),
        *("service_tier", "metadata", "safety_identifier", "prompt_cache_key"),
    ]
    assert (response["status"], said(response), response["instructions"]) == ("completed", "Hello", "Be kind.")
    assert (response["usage"]["output_tokens"], response["temperature"], response["top_p"]) == (5, 1.0, 1.0)


async def test_a_stream(client):
    reply = await ask(client, stream=True)
    assert reply.headers["content-type"] == "text/event-stream"
    assert (reply.headers["cache-control"], reply.headers["connection"]) == ("no-cache", "keep-alive")
    assert "[DONE]" not in reply.text
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    kinds = [event["type"].removeprefix("response.") for event in events]
    deltas = kinds.count("output_text.delta")
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *["output_text.delta"] * deltas,
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert said(events[-1]["response"]) == "Hello"
    kept = await client.get(f"/v1/responses/{events[-1]['response']['id']}")
    assert kept.json() == events[-1]["response"]


async def test_a_call_that_is_insisted_on(client):
    choice = {"type": "function", "name": "measure"}
    response = (await ask(client, tools=[MEASURE], tool_choice=choice)).json()
    (call,) = response["output"]
    assert (call["type"], call["name"]) == ("function_call", "measure")
    assert json.loads(call["arguments"])["unit"] in ("celsius", "kelvin")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "20"}
    after = await ask(client, [result], model="teller", previous_response_id=response["id"])
    assert said(after.json()) == "[user]Hello[assistant][tool]20"


async def test_structured_text(client):
    schema = {"type": "object", "properties": {"n": {"enum": [4, 5]}}, "required": ["n"]}
    form = {"type": "json_schema", "name": "number", "schema": schema}
    response = (await ask(client, text={"format": form})).json()
    assert json.loads(said(response))["n"] in (4, 5)
    assert response["text"] == {"format": form}


async def test_a_conversation_goes_on(client):
    first = (await ask(client, "One", model="teller", instructions="Be kind.")).json()
    assert said(first) == "[system]Be kind.[user]One"
    second = (await ask(client, "Two", model="teller", previous_response_id=first["id"])).json()
    assert said(second) == f"[user]One[assistant]{said(first)}[user]Two"
    assert second["previous_response_id"] == first["id"]
    other = (await ask(client, "Three", model="teller", previous_response_id=first["id"])).json()
    assert said(other).endswith("[user]Three")
    assert "Two" not in said(other)


async def test_a_kept_response(client):
    response = (await ask(client, [{"role": "user", "content": f"{n}"} for n in range(5)])).json()
    place = f"/v1/responses/{response['id']}"
    kept = await client.get(place)
    assert (kept.json(), kept.headers["content-type"]) == (response, "application/json")

    async def page(query: str) -> tuple[list[str], bool]:
        found = (await client.get(f"{place}/input_items?{query}")).json()
        assert [found["first_id"], found["last_id"]] == [found["data"][0]["id"], found["data"][-1]["id"]]
        return [item["content"] for item in found["data"]], found["has_more"]

    assert await page("") == (["4", "3", "2", "1", "0"], False)
    assert await page("limit=2&order=asc") == (["0", "1"], True)
    last = (await client.get(f"{place}/input_items?limit=2")).json()["last_id"]
    assert await page(f"limit=2&after={last}") == (["2", "1"], True)
    for query in ("limit=0", "limit=x", "limit=1000", "order=up", "after=nothing"):
        assert (await client.get(f"{place}/input_items?{query}")).status_code == 400
    assert (await client.get(f"{place}?stream=true")).status_code == 400
    assert (await client.delete(place)).json() == {"id": response["id"], "object": "response", "deleted": True}
    assert (await client.get(place)).status_code == 404


async def test_a_response_that_shall_not_be_kept(client):
    response = (await ask(client, store=False)).json()
    assert response["store"] is False
    assert (await client.get(f"/v1/responses/{response['id']}")).status_code == 404


async def test_a_response_in_the_background(client):
    response = (await ask(client, background=True)).json()
    assert (response["status"], response["output"]) == ("queued", [])
    while response["status"] in ("queued", "in_progress"):
        await asyncio.sleep(0.01)
        response = (await client.get(f"/v1/responses/{response['id']}")).json()
    assert (response["status"], said(response)) == ("completed", "Hello")
    cancelled = await client.post(f"/v1/responses/{response['id']}/cancel")
    assert cancelled.json() == response


async def test_cancelling_a_response_in_the_background(client):
    response = (await ask(client, "x" * 2000, model="slow", background=True)).json()
    place = f"/v1/responses/{response['id']}"
    cancelled = await client.post(f"{place}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await client.get(place)).json() == cancelled.json()
    after = await ask(client, "And?", previous_response_id=response["id"])
    assert after.status_code == 400
    assert "has no answer to go on from" in after.json()["error"]["message"]


async def test_only_responses_in_the_background_can_be_cancelled(client):
    response = (await ask(client)).json()
    reply = await client.post(f"/v1/responses/{response['id']}/cancel")
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


async def test_counting_tokens(client):
    answered = (await ask(client)).json()["usage"]["input_tokens"]
    reply = await client.post("/v1/responses/input_tokens", json={"model": "echo", "input": "Hello"})
    assert reply.json() == {"object": "response.input_tokens", "input_tokens": answered}


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"model": "nope"}, 404, "model 'nope' not found"),
        ({"model": "nope", "stream": True}, 404, "model 'nope' not found"),
        ({"model": "nope", "background": True}, 404, "model 'nope' not found"),
        ({"model": ""}, 400, "model is required"),
        ({"input": 1}, 400, "input must be a string or array: got int"),
        ({"input": None}, 400, "input is required"),
        ({"input": []}, 400, "input is required"),
        ({"previous_response_id": "resp_x"}, 404, "Response with id 'resp_x' not found."),
        ({"background": True, "store": False}, 400, "a response in the background must be stored: leave out store, or"),
        ({"tools": [MEASURE]}, 400, "registry.ollama.ai/library/echo:latest does not support tools"),
        ({"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
    ],
)
async def test_errors(client, fields, status, error):
    reply = await ask(client, given=fields.pop("input", "Hello"), **fields)
    assert (reply.status_code, list(reply.json())) == (status, ["error"])
    assert reply.json()["error"]["message"].startswith(error)
    assert reply.json()["error"]["type"] == ("not_found_error" if status == 404 else "invalid_request_error")
