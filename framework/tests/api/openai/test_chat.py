"""Chat over a socket, with the echo model, which says what it was told."""

import json

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

USAGE = {"prompt_tokens", "completion_tokens", "total_tokens"}
HERMES = (
    "{{ .Tools }}{{ range .Messages }}{{ if .ToolCalls }}<tool_call>{{ end }}"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}<|turn|>{{ .Content }}{{ end }}<|answer|>"
)
TELL = (
    "<|turn|>{{ .Tools }}{{ range .Messages }}[{{ .Role }}:{{ .Content }}:{{ .ToolName }}{{ .Thinking }}"
    "{{ range .ToolCalls }} {{ .Function.Name }} {{ .Function.Arguments }}{{ end }}]{{ end }}"
    "{{ if .IsThinkSet }}think={{ .Think }}{{ .ThinkLevel }}{{ end }}<|answer|>"
)
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


async def create(client, name, template):
    body = {"model": name, "from": "echo", "template": template, "stream": False}
    (await client.post("/api/create", json=body)).raise_for_status()


async def test_an_answer(ask):
    reply = await ask()
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.text.endswith("\n")
    answer = reply.json()
    assert list(answer) == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
    assert answer["object"] == "chat.completion"
    assert (answer["model"], answer["system_fingerprint"]) == ("echo", "fp_ollama")
    assert answer["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "one two three"}, "finish_reason": "stop"}
    ]
    usage = answer["usage"]
    assert set(usage) == USAGE
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] == len("one two three")


async def test_a_stream(ask, events):
    first, *others = events(await ask(stream=True))
    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"]["role"] == "assistant"
    *pieces, last = others
    assert all(list(piece["choices"][0]["delta"]) == ["content"] for piece in pieces)
    assert "".join(each["choices"][0]["delta"]["content"] for each in (first, *pieces)) == "one two three"
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert {each["id"] for each in others} == {first["id"]}
    assert {each["created"] for each in others} == {first["created"]}
    assert all("usage" not in each for each in (first, *others))


async def test_usage_at_the_end_of_a_stream(ask, events):
    *others, last = events(await ask(stream=True, stream_options={"include_usage": True}))
    assert last["choices"] == []
    assert last["usage"] == (await ask()).json()["usage"]
    assert all("usage" not in each for each in others)


@pytest.mark.parametrize("stream", [True, False])
async def test_several_answers(ask, events, stream):
    reply = await ask(n=3, stream=stream, stream_options={"include_usage": True})
    if stream:
        *pieces, last = events(reply)
        said = dict.fromkeys(range(3), "")
        ends = []
        for piece in pieces:
            (choice,) = piece["choices"]
            said[choice["index"]] += choice["delta"].get("content", "")
            ends += [choice["index"]] if choice["finish_reason"] else []
        assert sorted(ends) == [0, 1, 2]
        usage = last["usage"]
    else:
        choices = reply.json()["choices"]
        said = {choice["index"]: choice["message"]["content"] for choice in choices}
        usage = reply.json()["usage"]
    assert said == dict.fromkeys(range(3), "one two three")
    alone = (await ask()).json()["usage"]
    assert usage["prompt_tokens"] == alone["prompt_tokens"]
    assert usage["completion_tokens"] == 3 * alone["completion_tokens"]


@pytest.mark.parametrize("seed", [{"seed": 7}, {"model": "seeded"}])
async def test_answers_to_one_seed_differ_and_are_repeated(ask, ollama, seed):
    made = {"model": "seeded", "from": "echo", "parameters": {"seed": 7}, "stream": False}
    (await ollama.post("/api/create", json=made)).raise_for_status()

    async def said():
        fields = {**seed, "temperature": 2.0, "response_format": {"type": "json_object"}, "max_tokens": 30}
        return [choice["message"]["content"] for choice in (await ask(n=3, **fields)).json()["choices"]]

    first = await said()
    assert len(set(first)) == 3
    assert await said() == first


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_most_tokens(ask, name):
    (choice,) = (await ask(**{name: 3})).json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one", "length")


async def test_the_newer_name_wins(ask):
    (choice,) = (await ask(max_tokens=9, max_completion_tokens=3)).json()["choices"]
    assert choice["message"]["content"] == "one"


@pytest.mark.parametrize("stop", [" two", [" two"], ["x", 1, "", " two"]])
async def test_stop(ask, stop):
    (choice,) = (await ask(stop=stop)).json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one", "stop")


async def test_a_logit_bias(ask):
    (choice,) = (await ask("abc", logit_bias={str(ord("b")): -100}, temperature=0)).json()["choices"]
    assert "b" not in choice["message"]["content"]


async def test_logprobs(ask, events):
    (choice,) = (await ask("ab", logprobs=True, top_logprobs=2)).json()["choices"]
    first, second = choice["logprobs"]["content"]
    assert (first["token"], first["bytes"], second["token"]) == ("a", [97], "b")
    best, second = first["top_logprobs"]
    assert (best["token"], best["logprob"]) == ("a", first["logprob"])
    assert second["logprob"] < best["logprob"]
    pieces = events(await ask("ab", logprobs=True, stream=True))
    entries = [entry for piece in pieces for entry in piece["choices"][0].get("logprobs", {"content": []})["content"]]
    assert [(entry["token"], entry["top_logprobs"]) for entry in entries] == [("a", []), ("b", [])]


async def test_formats(ask):
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    wanted = {"type": " JSON_Schema ", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    (choice,) = (await ask(response_format=wanted)).json()["choices"]
    assert json.loads(choice["message"]["content"]) == {"a": 1}
    (choice,) = (await ask('{"b": 2}', response_format={"type": "json_object"}, temperature=0)).json()["choices"]
    assert json.loads(choice["message"]["content"]) == {"b": 2}
    (choice,) = (await ask(response_format={"type": "text"})).json()["choices"]
    assert choice["message"]["content"] == "one two three"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_call(ollama, ask, events, stream):
    await create(ollama, "hermes", HERMES)
    said = 'So: <tool_call>{"name":"clock","arguments":{"zone":"<é>"}}</tool_call>'
    reply = await ask(said, model="hermes", tools=[CLOCK], stream=stream)
    if stream:
        *pieces, last = events(reply)
        (call,) = [call for piece in pieces for call in piece["choices"][0]["delta"].get("tool_calls", [])]
        assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    else:
        (choice,) = reply.json()["choices"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] == "So: "
        (call,) = choice["message"]["tool_calls"]
    assert call.pop("id").startswith("call_")
    assert call == {"index": 0, "type": "function", "function": {"name": "clock", "arguments": '{"zone":"<é>"}'}}


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "function": {"name": "clock"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "clock"}}]},
        },
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_forced_call(ask, events, choice, stream):
    other = {"type": "function", "function": {"name": "other"}}
    tools = [CLOCK] if choice == "required" else [CLOCK, other]
    reply = await ask(tools=tools, tool_choice=choice, parallel_tool_calls=False, stream=stream)
    if stream:
        first, last = events(reply)
        message = first["choices"][0]["delta"]
        assert last["choices"][0]["finish_reason"] == "tool_calls"
    else:
        message = reply.json()["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert call["function"] == {"name": "clock", "arguments": "{}"}
    assert message["content"] == ""


async def test_tools_of_a_model_without_them_are_refused_unless_forced(ask):
    reply = await ask(tools=[CLOCK])
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == "registry.ollama.ai/library/echo:latest does not support tools"
    assert (await ask(tools=[CLOCK], tool_choice="none")).status_code == 200


async def test_what_the_template_sees(ollama, ask):
    await create(ollama, "tell", TELL)
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "q"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "2", "content": "r"},
        {"role": "tool", "tool_call_id": "1", "name": "named", "content": "s"},
    ]
    (choice,) = (await ask(model="tell", messages=messages)).json()["choices"]
    assert choice["message"]["content"] == (
        '[system:a\nb:][user:q:][assistant::hm f {"x":1} g {}][tool:r:g][tool:s:named]think=truemedium'
    )


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"reasoning_effort": "none"}, "think=false"),
        ({"reasoning_effort": ""}, "think=truemedium"),
        ({"reasoning_effort": "minimal"}, "think=truelow"),
        ({"reasoning": {"effort": "xhigh"}}, "think=truemax"),
    ],
    ids=str,
)
async def test_how_hard_to_think(ollama, ask, fields, seen):
    await create(
        ollama, "tell", TELL.replace("{{ .Thinking }}", "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}")
    )
    (choice,) = (await ask("q", model="tell", **fields)).json()["choices"]
    assert choice["message"]["content"].endswith(seen)


@pytest.mark.parametrize("stream", [True, False])
async def test_thinking_is_reasoning(ollama, ask, events, stream):
    await create(ollama, "hermes", HERMES)
    reply = await ask("<think>hm</think>So", model="hermes", stream=stream)
    if stream:
        deltas = [piece["choices"][0]["delta"] for piece in events(reply)]
        assert all("content" not in delta for delta in deltas if "reasoning" in delta)
        message = {key: "".join(delta.get(key, "") for delta in deltas) for key in ("role", "reasoning", "content")}
    else:
        message = reply.json()["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "So", "reasoning": "hm"}


async def test_options_of_ollamas_own_and_a_keep_alive(ollama, ask):
    await ask(options={"num_ctx": 2048, "num_predict": 2}, keep_alive=7200)
    (row,) = (await ollama.get("/api/ps")).json()["models"]
    assert row["context_length"] == 2048
    (choice,) = (await ask(options={"num_predict": 3})).json()["choices"]
    assert choice["message"]["content"] == "one"


async def test_fields_that_nobody_knows_are_ignored(ask):
    fields = {"user": "u", "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "stop": None, "seed": None}
    assert (await ask(**fields)).status_code == 200
