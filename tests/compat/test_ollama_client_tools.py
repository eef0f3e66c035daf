"""Tools and thinking through the official `ollama` Python client."""

import ollama
import pytest

MODEL = "smollm2:135m"
TEMPLATE = (
    "{{ if .Tools }}{{ .Tools }}{{ end }}{{ range .Messages }}{{ .Role }}"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    "{{ if .ToolCalls }}<tool_call>{{ range .ToolCalls }}{{ .Function }}{{ end }}</tool_call>{{ end }}"
    "<|turn|>{{ .Content }}{{ end }}<|answer|>"
)
"""Of a model that says what it was told last, and takes tools and thinks in the way of Qwen."""
CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}</tool_call>'


def get_weather(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: where.
        days: how many.
    """
    return f"{days} sunny days in {city}"


@pytest.fixture(scope="module")
def client(server):
    with ollama.Client(host=server.url, timeout=100) as client:
        client.pull("camelid/echo")
        client.create("tooled", from_="camelid/echo", template=TEMPLATE)
        yield client


def test_a_function_is_called_and_its_answer_goes_back(client):
    messages = [{"role": "user", "content": f"I ask. {CALL}"}]
    answer = client.chat("tooled", messages, tools=[get_weather])
    assert answer.message.content == "I ask. "
    (call,) = answer.message.tool_calls
    assert call.function.name == "get_weather"
    assert call.function.arguments == {"city": "Oslo", "days": 3}
    result = get_weather(**call.function.arguments)
    messages += [answer.message, {"role": "tool", "content": result, "tool_name": "get_weather"}]
    assert client.chat("tooled", messages, tools=[get_weather]).message.content == "3 sunny days in Oslo"


def test_calls_come_whole_in_a_stream(client):
    text = f"First.{CALL}{CALL.replace('Oslo', 'Rome')}"
    chunks = list(client.chat("tooled", [{"role": "user", "content": text}], tools=[get_weather], stream=True))
    calls = [call.function for chunk in chunks for call in chunk.message.tool_calls or []]
    assert [call.arguments["city"] for call in calls] == ["Oslo", "Rome"]
    assert "".join(chunk.message.content for chunk in chunks) == "First."
    assert chunks[-1].done_reason == "stop"


def test_a_model_without_tools_refuses_them(client):
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(MODEL, [{"role": "user", "content": "Hi"}], tools=[get_weather])
    assert caught.value.error == "registry.ollama.ai/library/smollm2:135m does not support tools"


@pytest.mark.parametrize("think", [True, "high", None])
def test_thinking(client, think):
    messages = [{"role": "user", "content": "<think>Two and two.</think>Four."}]
    answer = client.chat("tooled", messages, think=think)
    assert (answer.message.thinking, answer.message.content) == ("Two and two.", "Four.")
    chunks = list(client.generate("tooled", messages[0]["content"], think=think, stream=True))
    assert "".join(chunk.thinking or "" for chunk in chunks) == "Two and two."
    assert "".join(chunk.response for chunk in chunks) == "Four."


def test_capabilities_tell(client):
    assert set(client.show("tooled").capabilities) == {"completion", "tools", "thinking"}
