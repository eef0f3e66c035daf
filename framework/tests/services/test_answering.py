"""How what a model writes becomes chunks."""

import pytest

from camelid.engine.pool import Pool
from camelid.services.chat import Chat, ChatRequest
from camelid.services.generate import Generate, GenerateRequest
from camelid.services.loading import Models
from camelid.types.generation import GenerationChunk
from camelid.types.messages import Function, Message, Tool

OPENED = (
    "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}<|turn|>{{ .Content }}{{ end }}"
    "<think>\n"
)
"""Opens the thinking whatever it is told; the echo model says that, too."""
HARMONY = "{{ range .Messages }}<|start|>{{ .Role }}<|channel|>final<|message|><|turn|>{{ .Content }}{{ end }}"
HERMES = "{{ .Tools }}<tool_call>{{ range .Messages }}<|turn|>{{ .Content }}{{ end }}<|answer|>"
TOOLS = (Tool(Function("now")),)
CALL = '<tool_call>{"name": "now"}</tool_call>'


@pytest.fixture
def chat(models: Models, pool: Pool) -> Chat:
    return Chat(models, pool)


def request(text: str, **fields: object) -> ChatRequest:
    return ChatRequest(model="echo", messages=(Message(role="user", content=text),), **fields)  # type: ignore[arg-type]


async def collect(chunks) -> list[GenerationChunk]:
    return [chunk async for chunk in chunks]


def texts(chunks: list[GenerationChunk]) -> tuple[str, str]:
    return "".join(chunk.thinking for chunk in chunks), "".join(chunk.content for chunk in chunks)


@pytest.mark.parametrize("think", [None, True, False])
async def test_thinking_that_the_template_opens_is_always_split_off(chat: Chat, add_model, think):
    add_model(template=OPENED)
    assert texts(await collect(chat(request("hm</think> yes", think=think)))) == ("hm", "yes<think>\n")


async def test_the_last_chunk_has_no_calls(chat: Chat, add_model):
    add_model(template=HERMES)
    chunks = await collect(chat(request(CALL, tools=TOOLS)))
    assert [len(chunk.tool_calls) for chunk in chunks if not chunk.logprobs] == [1, 0]
    assert [chunk.completion is None for chunk in chunks] == [True, False]
    (call,) = chunks[0].tool_calls
    assert (call.function.name, call.function.arguments, call.function.index) == ("now", {}, 0)


async def test_text_that_was_held_back_comes_with_the_end(chat: Chat, add_model):
    add_model(template=HERMES)
    *_, last = await collect(chat(request("a <tool", tools=TOOLS)))
    assert last.content == "<tool"
    assert last.completion is not None


async def test_a_config_names_the_parser(chat: Chat, add_model):
    add_model(template=HERMES.replace("<tool_call>", ""), parser="qwen3-coder")
    chunks = await collect(chat(request("<function=now></function>", tools=TOOLS)))
    assert [call.function.name for chunk in chunks for call in chunk.tool_calls] == ["now"]


async def test_channels_are_told_apart_without_tools_too(chat: Chat, models: Models, pool: Pool, add_model):
    add_model(template=HARMONY, model_family="gptoss")
    said = "<|channel|>analysis<|message|>hm<|channel|>final<|message|>yes"
    assert texts(await collect(chat(request(said, think=False)))) == ("hm", "yes")
    generated = Generate(models, pool)(GenerateRequest(model="echo", prompt=said))
    assert texts(await collect(generated)) == ("hm", "yes")
    raw = Generate(models, pool)(GenerateRequest(model="echo", prompt=said, raw=True))
    assert texts(await collect(raw)) == ("", said)


async def test_gpt_oss_thinks_no_harder_than_high(chat: Chat, add_model):
    add_model(template="<|turn|>{{ range .Messages }}{{ end }}{{ .ThinkLevel }}<|answer|>", model_family="gptoss")
    assert texts(await collect(chat(request("x", think="max")))) == ("", "high")
    assert texts(await collect(chat(request("x", think="low")))) == ("", "low")


async def test_generate_takes_out_the_thoughts_that_the_models_parser_knows(models: Models, pool: Pool, add_model):
    add_model(parser="gemma4")
    said = "<|channel>thought\nhm<channel|>yes"
    assert texts(await collect(Generate(models, pool)(GenerateRequest(model="echo", prompt=said)))) == ("hm", "yes")
    own = GenerateRequest(model="echo", prompt=said, template="<|turn|>{{ .Prompt }}<|answer|>")
    assert texts(await collect(Generate(models, pool)(own))) == ("", said)
