"""A plugin that knows how some models call tools, in a real server; the echo model says what such a model would."""

import json
from pathlib import Path

import pytest

HEAD = """
from camelid import AnswerFormat, Steps, ThinkingTags, ToolCallParser, hookimpl

CAMELID_API = 1

class ArrowParser(ToolCallParser):
    tags = ("=>",)

    def read_block(self) -> Steps[bool]:
        name = yield from self.text.before("{\\n")
        %s
        return self.offer(name.strip(), (yield from self.text.json()))

@hookimpl
def camelid_answer_formats(register):
    tags = ThinkingTags("((", "))")
    register(AnswerFormat(name="arrow", markers=("=>",), calls=ArrowParser, thinking=tags))
"""
TEMPLATE = "{{ .Tools }}=>{{ range .Messages }}<|turn|>{{ .Content }}{{ end }}<|answer|>"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for name in ("rain", "wind")
]
SAID = '((Two calls.))Let me see: => rain {"city": "Köln"} and =>wind {"city": "Bonn", "days": [1]} =>fly {} - done'


@pytest.fixture
def start_with_plugin(start_server, tmp_path: Path):
    """Starts a server that has the plugin; the line that is given is added to its parser."""

    def start(line: str = "pass"):
        site = tmp_path / "site"
        info = site / "dist_arrows-1.0.dist-info"
        info.mkdir(parents=True)
        (site / "arrows.py").write_text(HEAD % line)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dist-arrows\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[camelid]\narrows = arrows\n")
        server = start_server(PYTHONPATH=str(site))
        server.pull("camelid/echo")
        made = server.post("/api/create", model="parrot", **{"from": "camelid/echo"}, template=TEMPLATE, stream=False)
        assert made.json() == {"status": "success"}, made.text
        return server

    return start


def chat(server, *, stream: bool, said: str = SAID) -> list[dict[str, object]]:
    messages = [{"role": "user", "content": said}]
    options = {"temperature": 0, "num_predict": 400}
    answer = server.post("/api/chat", model="parrot", messages=messages, tools=TOOLS, options=options, stream=stream)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_calls_in_a_plugins_format_reach_the_client(start_with_plugin):
    server = start_with_plugin()
    (whole,) = chat(server, stream=False)
    message = whole["message"]
    assert message["thinking"] == "Two calls."
    assert message["content"] == "Let me see:  and  =>fly {} - done"
    assert [call["function"] for call in message["tool_calls"]] == [
        {"index": 0, "name": "rain", "arguments": {"city": "Köln"}},
        {"index": 1, "name": "wind", "arguments": {"city": "Bonn", "days": [1]}},
    ]
    lines = chat(server, stream=True)
    assert "".join(line["message"]["content"] for line in lines) == message["content"]
    assert "".join(line["message"].get("thinking", "") for line in lines) == "Two calls."
    assert all("tool_calls" not in line["message"] or line["message"]["content"] == "" for line in lines)
    calls = [call for line in lines for call in line["message"].get("tool_calls", [])]
    assert [call["function"]["name"] for call in calls] == ["rain", "wind"]
    assert "tool_calls" not in lines[-1]["message"]


def test_a_parser_that_fails_costs_no_answer(start_with_plugin):
    server = start_with_plugin("raise RuntimeError('my mistake')")
    (whole,) = chat(server, stream=False)
    assert whole["message"]["thinking"] == "Two calls."
    assert whole["message"]["content"] == SAID.partition("))")[2]
    assert "tool_calls" not in whole["message"]
    assert whole["done_reason"] == "stop"
    log = server.log.read_text()
    assert "plugin arrows (dist-arrows)" in log
    assert "my mistake" in log
