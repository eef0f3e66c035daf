import json
from contextlib import aclosing

import msgspec
import pytest

from camelid.contracts.answers.parser import OutputParser, Parsed
from camelid.engine.pool import Pool
from camelid.errors import RequestError, UnsupportedCapabilityError
from camelid.prompts.tool_calls.hermes import HermesParser
from camelid.services.chat import Chat, ChatRequest
from camelid.services.loading import Models
from camelid.services.tool_choice import FirstCall, ToolChoice, told_of_tools
from camelid.types.generation import GenerationChunk
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall

TOOLS = "<|turn|>{{ range .Tools }}{{ .Function.Name }} {{ end }}{{ range .Messages }}{{ .Content }}{{ end }}<|answer|>"
THINK = "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}<|turn|>{{ .Content }}{{ end }}"
PLACE = {
    "$defs": {"place": {"enum": ["Rome", "Oslo"]}},
    "type": "object",
    "properties": {"place": {"$ref": "#/$defs/place"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["place", "days"],
}
WEATHER = Tool(Function("weather", "Tells the weather.", PLACE))
CLOCK = Tool(Function("clock"))


@pytest.fixture
def chat(models: Models, pool: Pool) -> Chat:
    return Chat(models, pool)


async def said(chat: Chat, **fields: object) -> GenerationChunk:
    request = ChatRequest(model="echo", messages=(Message("user", "Well?"),), tools=(WEATHER, CLOCK))
    async with aclosing(chat(msgspec.structs.replace(request, **fields))) as chunks:
        whole = [chunk async for chunk in chunks]
    return GenerationChunk(
        content="".join(chunk.content for chunk in whole),
        thinking="".join(chunk.thinking for chunk in whole),
        tool_calls=tuple(call for chunk in whole for call in chunk.tool_calls),
        completion=whole[-1].completion,
        prompt=whole[-1].prompt,
    )


def hot(seed: int) -> dict[str, object]:
    return {"temperature": 1.5, "seed": seed, "num_predict": 400}


def check_call(call: ToolCall) -> None:
    assert call.id.startswith("call_")
    if call.function.name == "clock":
        assert call.function.arguments == {}
        return
    assert call.function.name == "weather"
    assert call.function.arguments["place"] in ("Rome", "Oslo")
    assert call.function.arguments["days"] in range(1, 10)


@pytest.mark.parametrize("template", [TOOLS, ""])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_required_call_is_made_also_by_models_without_tools(chat, add_model, template, seed):
    add_model(template=template)
    answer = await said(chat, tool_choice=ToolChoice("required"), options=hot(seed))
    assert answer.content == ""
    assert answer.tool_calls
    for place, call in enumerate(answer.tool_calls):
        check_call(call)
        assert call.function.index == place
    assert len({call.id for call in answer.tool_calls}) == len(answer.tool_calls)


@pytest.mark.parametrize("choice", [ToolChoice("required", "weather"), ToolChoice("required", parallel=False)])
async def test_one_call_where_one_is_wanted(chat, add_model, choice):
    add_model(template=TOOLS)
    for seed in range(3):
        (call,) = (await said(chat, tool_choice=choice, options=hot(seed))).tool_calls
        check_call(call)
        assert call.function.name == "weather" or not choice.name


async def test_thoughts_come_before_a_required_call(chat, add_model):
    add_model(template=THINK)
    messages = (Message("user", "<think>hm</think>"),)
    answer = await said(chat, messages=messages, tool_choice=ToolChoice("required", "clock"))
    assert (answer.thinking, answer.content) == ("hm", "")
    assert [call.function.name for call in answer.tool_calls] == ["clock"]


async def test_a_format_does_not_excuse_from_a_required_call(chat, add_model):
    add_model(template=TOOLS)
    answer = await said(chat, tool_choice=ToolChoice("required", "clock"), format={"const": 1})
    assert [call.function for call in answer.tool_calls] == [FunctionCall("clock")]


async def test_a_call_that_is_cut_off_is_text(chat, add_model):
    add_model(template=TOOLS)
    answer = await said(chat, tool_choice=ToolChoice("required", "weather"), options={"num_predict": 9})
    assert answer.tool_calls == ()
    assert answer.content.startswith("{")
    assert answer.completion.reason == "length"


async def test_none_hides_the_tools(chat, add_model):
    add_model(template=TOOLS)
    answer = await said(chat, tool_choice=ToolChoice("none"), render_only=True)
    assert answer.prompt == "<|turn|>Well?<|answer|>"
    assert (await said(chat, render_only=True)).prompt == "<|turn|>weather clock Well?<|answer|>"


async def test_auto_still_needs_a_model_with_tools(chat, add_model):
    add_model()
    with pytest.raises(UnsupportedCapabilityError, match="does not support tools"):
        await said(chat)


@pytest.mark.parametrize(
    ("choice", "tools", "message"),
    [
        (ToolChoice("required"), (), "there are no tools"),
        (ToolChoice("required", "alarm"), (CLOCK,), '"alarm", which is not among the tools'),
    ],
)
async def test_a_choice_that_cannot_be_made_is_refused(chat, add_model, choice, tools, message):
    add_model(template=TOOLS)
    with pytest.raises(RequestError, match=message):
        await said(chat, tool_choice=choice, tools=tools)


def test_a_model_without_tools_is_told_in_words():
    call = ToolCall(FunctionCall("clock", {"zone": "UTC"}), "call_1")
    messages = [
        Message("system", "Be brief."),
        Message("user", "What time is it?"),
        Message("assistant", tool_calls=(call,)),
        Message("tool", "noon", tool_name="clock"),
    ]
    told = told_of_tools(messages, [CLOCK])
    assert [message.role for message in told] == ["system", "user", "assistant", "user"]
    assert told[0].content.startswith("Be brief.\n\n")
    assert told[0].content.endswith('\n{"name": "clock"}')
    assert json.loads(told[2].content) == {"name": "clock", "arguments": {"zone": "UTC"}}
    assert told[3].content == "clock returned: noon"
    assert [message.role for message in told_of_tools(messages[1:2], [CLOCK])] == ["system", "user"]


def test_only_the_first_call_where_several_are_not_welcome():
    def found(parser: OutputParser) -> list[Parsed]:
        call = '<tool_call>{"name":"clock","arguments":{}}</tool_call>'
        return parser.feed(f"So: {call}{call}") + parser.finish()

    assert sum(len(piece.calls) for piece in found(HermesParser([CLOCK]))) == 2
    text, call = found(FirstCall(HermesParser([CLOCK])))
    assert text.content == "So: "
    assert call.calls[0].function.name == "clock"
