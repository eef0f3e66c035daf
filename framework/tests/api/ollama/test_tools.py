"""Tool calls and thinking on the wire (contract 5.4 to 5.6)."""

import json
import re

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATE = (
    "{{ .Tools }}{{ range .Messages }}{{ .Role }}"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    "{{ if .ToolCalls }}<tool_call>{{ range .ToolCalls }}{{ .Function }}{{ end }}</tool_call>{{ end }}"
    "<|turn|>{{ .Content }}{{ end }}<|answer|>"
)
TELL = (
    "<|turn|>{{ .Tools }}{{ range .Messages }}"
    "|{{ .Role }}:{{ .Content }}{{ .Thinking }}:{{ .ToolName }}:{{ .ToolCallID }}"
    "{{ range .ToolCalls }} {{ .ID }} {{ .Function.Index }} {{ .Function.Name }} {{ .Function.Arguments }}{{ end }}"
    "{{ end }}<|answer|>"
)
"""Makes the echo model say what it was told."""
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Look it up.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string", "minLength": 1}}},
        },
    }
    for name in ("weather", "time")
]
ARGUMENTS = {"city": "Köln & <Bonn>", "at": {"x": [1, 2.5, None]}}
WEATHER = f'<tool_call>\n{{"name": "weather", "arguments": {json.dumps(ARGUMENTS)}}}\n</tool_call>'
TIME = '<tool_call>{"name": "time", "arguments": {}}</tool_call>'
CALL_ID = re.compile(r"call_[0-9a-z]{8}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tooled(ollama):
    """The models `tooled`, which takes tools and thinks, and `teller`, which tells its prompt."""
    for name, template in (("tooled", TEMPLATE), ("teller", TELL)):
        body = {"model": name, "from": "camelid/echo", "template": template, "stream": False}
        (await ollama.post("/api/create", json=body)).raise_for_status()
    return ollama


async def chat(client, text, **fields):
    body = {"model": "tooled", "messages": [{"role": "user", "content": text}], "tools": TOOLS, **fields}
    reply = await client.post("/api/chat", json=body)
    assert reply.status_code == 200, reply.text
    return reply


async def lines(client, text, **fields):
    return [json.loads(line) for line in (await chat(client, text, **fields)).text.splitlines()]


async def test_a_call_has_a_line_of_its_own_before_the_last(tooled):
    *_, call, last = (await chat(tooled, WEATHER)).text.splitlines()
    call = re.sub(r'"created_at":"[^"]+"', "T", call)
    assert CALL_ID.sub("ID", call) == (
        '{"model":"tooled",T,"message":{"role":"assistant","content":"","tool_calls":[{"id":"ID","function":'
        '{"index":0,"name":"weather","arguments":'
        '{"city":"Köln \\u0026 \\u003cBonn\\u003e","at":{"x":[1,2.5,null]}}}}]},"done":false}'
    )
    end = json.loads(last)
    assert (end["message"], end["done"], end["done_reason"]) == ({"role": "assistant", "content": ""}, True, "stop")
    assert end["eval_count"] == len(WEATHER.encode())


async def test_thinking_text_and_calls_come_in_their_order(tooled):
    events = []
    for line in await lines(tooled, f"<think>Two.</think>\n\nI ask. {WEATHER}\n{TIME}So?"):
        message = line["message"]
        kind = next(key for key in ("tool_calls", "thinking", "content") if message.get(key) or key == "content")
        if kind != "content":
            assert message["content"] == ""
        if events and events[-1][0] == kind != "tool_calls":
            events[-1][1] += message[kind]
        elif message[kind]:
            events.append([kind, message[kind]])
    assert [kind for kind, _ in events] == ["thinking", "content", "tool_calls", "tool_calls", "content"]
    assert [text for kind, text in events if kind != "tool_calls"] == ["Two.", "I ask. ", "So?"]
    calls = [call for kind, found in events if kind == "tool_calls" for call in found]
    assert [(call["function"]["index"], call["function"]["name"]) for call in calls] == [(0, "weather"), (1, "time")]
    assert len({call["id"] for call in calls}) == 2


async def test_one_object_has_all_calls(tooled):
    reply = (await chat(tooled, f"<think>Two.</think>I ask. {WEATHER}\n{TIME}", stream=False)).json()
    message = reply["message"]
    assert list(message) == ["role", "content", "thinking", "tool_calls"]
    assert (message["content"], message["thinking"]) == ("I ask. ", "Two.")
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == [ARGUMENTS, {}]
    assert reply["done_reason"] == "stop"


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "moon", "arguments": {}}</tool_call> Hm.',
        "<tool_call>{name: weather}</tool_call>",
        '<tool_call>\n{"name": "weather", "argum',
        "a <tool",
    ],
)
async def test_what_is_no_call_is_text(tooled, text):
    message = (await chat(tooled, text, stream=False)).json()["message"]
    assert message == {"role": "assistant", "content": text}


async def test_without_tools_there_are_no_calls(tooled):
    message = (await chat(tooled, TIME, tools=[], stream=False)).json()["message"]
    assert message == {"role": "assistant", "content": TIME}


async def test_generate_has_no_calls(tooled):
    reply = await tooled.post("/api/generate", json={"model": "tooled", "prompt": TIME, "stream": False})
    assert reply.json()["response"] == TIME


async def test_logprobs_are_sent_while_a_call_is_held_back(tooled):
    # Slower than frames may follow each other: each token comes in a line of its own.
    slow = {"backend_options": {"delay": 0.03}}
    found = await lines(tooled, TIME, logprobs=True, options=slow, keep_alive=0)
    waiting = [line for line in found if not line["done"] and "tool_calls" not in line["message"]]
    assert waiting
    assert all(line["message"] == {"role": "assistant", "content": ""} and line["logprobs"] for line in waiting)
    tokens = [entry["token"] for line in found for entry in line.get("logprobs", [])]
    assert "".join(tokens) == TIME


async def test_a_whole_round_with_tools_reaches_the_template(tooled):
    messages = [
        {"role": "user", "content": "Rain?"},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Ask.",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"index": 1, "name": "weather", "arguments": {"b": 1, "a": "x"}},
                }
            ],
        },
        {"role": "tool", "content": "dry", "tool_name": "weather", "tool_call_id": "call_1"},
        {"role": "tool", "content": "wet"},
    ]
    body = {"model": "teller", "messages": messages, "tools": TOOLS[:1], "stream": False}
    text = (await tooled.post("/api/chat", json=body)).json()["message"]["content"]
    tools, *turns = text.split("|")
    assert json.loads(tools)[0]["function"]["parameters"]["properties"] == {"city": {"type": "string"}}
    assert turns == [
        "user:Rain?::",
        'assistant:Ask.:: call_1 1 weather {"b":1,"a":"x"}',
        "tool:dry:weather:call_1",
        "tool:wet::",
    ]


@pytest.mark.parametrize("think", [None, True, "low", "max"])
async def test_thinking_is_split_off(tooled, think):
    message = (await chat(tooled, "<think>\nHm.\n</think>\n\nYes.", think=think, stream=False)).json()["message"]
    assert message == {"role": "assistant", "content": "Yes.", "thinking": "Hm.\n"}


async def test_tags_never_leak_while_streaming(tooled):
    slowly = {"num_predict": 1000, "backend_options": {"delay": 0.002}}
    found = await lines(tooled, f"<think>{'a<b ' * 30}</think>{'c<d ' * 30}{TIME}", options=slowly)
    texts = [line["message"].get("thinking", "") + line["message"]["content"] for line in found]
    assert "".join(texts) == "a<b " * 30 + "c<d " * 30
    assert len(found) > 4
