from itertools import takewhile

import pytest

from camelid.errors import ModelError
from camelid.prompts.choose import choose_template
from camelid.prompts.conversation import Conversation
from camelid.prompts.renderers.find import RENDERERS, renderer_source
from camelid.prompts.tool_calls.choose import choose_parser
from camelid.types.capabilities import Capability
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall

CHAT = (
    Message(role="system", content="S"),
    Message(role="user", content="A?"),
    Message(role="assistant", content="B.", thinking="hm"),
    Message(role="user", content="C?"),
)


def rendered(name: str, think: bool | str | None = None, messages: tuple[Message, ...] = CHAT) -> str:
    template = choose_template(None, "", bos_token="<s>", eos_token="</s>", renderer=name)
    return template.render(Conversation(messages=messages, think=think)).text


CHATML = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\nB.<|im_end|>\n"
CHATML += "<|im_start|>user\nC?<|im_end|>\n<|im_start|>assistant\n"
CLOSED = "<think>\n\n</think>\n\n"
GLM = "[gMASK]<sop><|system|>S<|user|>A?<|assistant|></think>B.<|user|>C?<|assistant|>"
DEEPSEEK = "<s>S<｜User｜>A?<｜Assistant｜></think>B.<｜end▁of▁sentence｜><｜User｜>C?<｜Assistant｜>"
GEMMA = "<turn|>\n<|turn>user\nA?<turn|>\n<|turn>model\nB.<turn|>\n<|turn>user\nC?<turn|>\n<|turn>model\n"
FUNCTION_GEMMA = (
    "<s><start_of_turn>developer\nS<end_of_turn>\n<start_of_turn>user\nA?<end_of_turn>\n"
    "<start_of_turn>model\nB.<end_of_turn>\n<start_of_turn>user\nC?<end_of_turn>\n<start_of_turn>model\n"
)


LAGUNA = "<s><system>\n\nS\n</system>\n<user>\nA?\n</user>\n<assistant>\n<think>\nhm\n</think>\nB.\n</assistant>\n"
LAGUNA += "<user>\nC?\n</user>\n<assistant>\n"
POOLSIDE = "<s><system>S</system>\n<user>A?</user>\n<assistant><think>hm</think>B.</assistant>\n<user>C?</user>\n"
GLIMMER = (
    '<s><|start|>system<|message|>S\n\nReasoning strength: high.\n\n# Valid recipients: "self", "user".<|eot|>'
    "<|start|>user<|message|>A?<|eot|><|start|>assistant to=self<|message|>hm<|eom|>"
    "<|start|>assistant to=user<|message|>B.<|eot|><|start|>user<|message|>C?<|eot|><|start|>assistant"
)
TURN, END = "<|START_OF_TURN_TOKEN|>", "<|END_TEXT|><|END_OF_TURN_TOKEN|>"
COHERE = (
    f"<s>{TURN}<|SYSTEM_TOKEN|><|START_TEXT|>S\n\n\n\n# Available Tools\n```json\n[\n\n\n\n]\n```{END}"
    f"{TURN}<|USER_TOKEN|><|START_TEXT|>A?{END}"
    f"{TURN}<|CHATBOT_TOKEN|><|START_THINKING|>hm<|END_THINKING|><|START_TEXT|>B.{END}"
    f"{TURN}<|USER_TOKEN|><|START_TEXT|>C?{END}{TURN}<|CHATBOT_TOKEN|><|START_THINKING|>"
)


@pytest.mark.parametrize(
    ("name", "thinking", "quiet"),
    [
        ("qwen3-vl-instruct", CHATML, CHATML),
        ("qwen3-vl-thinking", CHATML + "<think>\n", CHATML + "<think>\n"),
        ("qwen3-coder", CHATML, CHATML),
        ("qwen3.5", CHATML + "<think>\n", CHATML + CLOSED),
        ("nemotron-3-nano", CHATML + "<think>\n", CHATML + "<think></think>"),
        ("olmo3", CHATML, CHATML),
        ("olmo3-think", CHATML + "<think>", CHATML + "<think>"),
        ("lfm2", "<s>" + CHATML, "<s>" + CHATML),
        ("glm-4.7", GLM + "<think>", GLM + "</think>"),
        ("glm-ocr", GLM.replace("</think>", ""), GLM.replace("</think>", "")),
        ("deepseek3.1", DEEPSEEK + "<think>", DEEPSEEK + "</think>"),
        ("gemma4", "<s><|turn>system\n<|think|>\nS" + GEMMA, "<s><|turn>system\nS" + GEMMA),
        (
            "gemma4-large",
            "<s><|turn>system\n<|think|>\nS" + GEMMA,
            "<s><|turn>system\nS" + GEMMA + "<|channel>thought\n<channel|>",
        ),
        ("functiongemma", FUNCTION_GEMMA, FUNCTION_GEMMA),
        ("laguna", LAGUNA + "<think>", LAGUNA + "</think>"),
        (
            "poolside-v1",
            POOLSIDE + "<assistant><think>",
            POOLSIDE.replace("<think>hm", "") + "<assistant></think>",
        ),
        ("glimmer", GLIMMER, GLIMMER.replace("high", "none")),
        ("cohere", COHERE, COHERE + "<|END_THINKING|>"),
    ],
)
def test_a_conversation_by_each_renderer(name, thinking, quiet):
    assert rendered(name, think=True) == thinking
    assert rendered(name, think=False) == quiet


@pytest.mark.parametrize("name", RENDERERS)
def test_every_renderer_can_do_without_a_system_message(name):
    text = rendered(name, messages=(Message(role="user", content="A?"),))
    assert "A?" in text
    assert "system" not in text or name == "glimmer"  # which has to say who may be written to
    assert "developer" not in text


def test_thoughts_since_the_last_question_are_kept():
    waiting = (*CHAT, Message(role="assistant", content="Wait.", thinking="mm"), Message(role="tool", content="4"))
    assert "<think>\nmm\n</think>\n\nWait." in rendered("qwen3.5", messages=waiting)
    assert "<think>mm</think>Wait." in rendered("glm-4.7", messages=waiting)
    assert "hm" not in rendered("qwen3.5", messages=waiting)
    assert "hm" not in rendered("glm-4.7", messages=waiting)


CALLS = (
    ToolCall(FunctionCall("w.get", {"city": "Oslo", "days": 2, "units": ["C"]}, 0), "a"),
    ToolCall(FunctionCall("now", {}, 1), "b"),
)
CALLING = (
    Message(role="user", content="Q?"),
    Message(role="assistant", thinking="hm", tool_calls=CALLS),
    Message(role="tool", content="15C", tool_call_id="b"),
    Message(role="tool", content="noon", tool_call_id="a"),
)
WRITTEN = {
    "laguna": (
        "<assistant>\n<think>\nhm\n</think>\n<tool_call>w.get\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n"
        "<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n<arg_key>units</arg_key>\n"
        '<arg_value>["C"]</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>\n</assistant>\n'
        "<tool_response>\n15C\n</tool_response>\n<tool_response>\nnoon\n</tool_response>\n"
    ),
    "poolside-v1": (
        "<assistant><think>hm</think><tool_call>w.get<arg_key>city</arg_key><arg_value>Oslo</arg_value>"
        "<arg_key>days</arg_key><arg_value>2</arg_value><arg_key>units</arg_key>"
        '<arg_value>["C"]</arg_value></tool_call>'
        "<tool_call>now</tool_call></assistant>\n"
        "<tool_response>15C</tool_response>\n<tool_response>noon</tool_response>\n"
    ),
    "glimmer": (
        "<|start|>assistant to=self<|message|>hm<|eom|><|start|>assistant to=w.get<|message|><atem:function_calls>\n"
        '<atem:invoke name="w.get">\n<atem:parameter name="city">Oslo</atem:parameter>\n'
        '<atem:parameter name="days">2</atem:parameter>\n<atem:parameter name="units">["C"]</atem:parameter>\n'
        "</atem:invoke>\n</atem:function_calls><|eom|><|start|>assistant to=now<|message|><atem:function_calls>\n"
        '<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls><|eot|>'
        '<|start|>tool now<|message|><tool_output name="now">\n15C\n</tool_output><|eot|>'
        '<|start|>tool w.get<|message|><tool_output name="w.get">\nnoon\n</tool_output><|eot|>'
    ),
    "cohere": (
        f"{TURN}<|CHATBOT_TOKEN|>\n            \n                <|START_THINKING|>hm<|END_THINKING|><|START_ACTION|>["
        '\n\n    {"tool_call_id": "0", "tool_name": "w.get", '
        '"parameters": {"city": "Oslo", "days": 2, "units": ["C"]}},'
        '\n\n    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n\n]<|END_ACTION|><|END_OF_TURN_TOKEN|>'
        f"{TURN}<|SYSTEM_TOKEN|><|START_TOOL_RESULT|>["
        '\n    {\n        "tool_call_id": "1",\n        "results": {\n\n            \n            '
        '"0": {"content": "15C"}\n\n        },\n        "is_error": null\n    },'
        '\n    {\n        "tool_call_id": "0",\n        "results": {\n\n            \n            '
        '"0": {"content": "noon"}\n\n        },\n        "is_error": null\n    }'
        "\n\n]<|END_TOOL_RESULT|><|END_OF_TURN_TOKEN|>"
    ),
}


@pytest.mark.parametrize(("name", "written"), WRITTEN.items())
def test_calls_and_their_results(name, written):
    assert written in rendered(name, think=True, messages=CALLING)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_was_written_is_read_again(name):
    """An answer to the question, as the template writes it into the next prompt."""
    template = choose_template(None, "", bos_token="<s>", renderer=name)
    properties = {"city": {"type": "string"}, "days": {"type": "integer"}, "units": {"type": "array"}}
    tools = (Tool(Function("w.get", "", {"type": "object", "properties": properties})), Tool(Function("now")))

    def written(*messages: Message) -> str:
        return template.render(Conversation(messages=messages, tools=tools, think=True)).text

    def same(one: str, other: str) -> str:
        return one if one == other else ""

    prompt = written(CALLING[0])
    for answer in (CALLING[1], Message(role="assistant", content="So.", thinking="hm")):
        begun = "".join(takewhile(bool, map(same, prompt, written(CALLING[0], answer))))
        told = written(CALLING[0], answer, CALLING[0]).removeprefix(begun).partition("Q?")[0]
        parser = choose_parser(template, begun, think=True, tools=tools, named=name)
        assert parser is not None
        found = [part for letter in told for part in parser.feed(letter)] + parser.finish()
        assert "".join(part.thinking for part in found).strip() == "hm"
        calls = [call.function for part in found for call in part.calls]
        assert calls == [call.function for call in answer.tool_calls]
        content = "".join(part.content for part in found)
        assert answer.content in content
        assert "hm" not in content


@pytest.mark.parametrize(
    ("name", "kept"), [("laguna", True), ("poolside-v1", True), ("cohere", False), ("glimmer", False)]
)
def test_what_is_said_beside_a_call_is_kept_where_ollama_keeps_it(name, kept):
    said = Message(role="assistant", content="I look.", thinking="hm", tool_calls=CALLS)
    text = rendered(name, think=True, messages=(CALLING[0], said, *CALLING[2:]))
    assert ("I look." in text) == kept
    assert text.replace("I look.\n", "").replace("I look.", "") == rendered(name, think=True, messages=CALLING)


def test_who_only_thinks_says_nothing_in_glimmer():
    text = rendered("glimmer", messages=(*CHAT[:2], Message(role="assistant", thinking="hm"), CHAT[3]))
    assert "<|start|>assistant to=self<|message|>hm<|eom|><|start|>user<|message|>C?" in text


@pytest.mark.parametrize("name", RENDERERS)
def test_a_thousand_calls_are_not_too_many(name):
    exchanges = (
        (
            Message(role="assistant", tool_calls=(ToolCall(FunctionCall("now", {}), f"call{n}"),)),
            Message(role="tool", content=f"<{n}>", tool_call_id=f"call{n}"),
        )
        for n in range(1000)
    )
    text = rendered(name, messages=(CALLING[0], *(message for exchange in exchanges for message in exchange)))
    assert "<999>" in text
    assert name != "glimmer" or text.count("<|start|>tool now<|message|>") == 1000


def test_results_without_ids_belong_to_the_calls_in_their_order():
    results = [Message(role="tool", content=text, tool_name=name) for text, name in (("1", "w.get"), ("2", "now"))]
    text = rendered("cohere", messages=(*CALLING[:2], *results))
    parts = ('"tool_call_id": "0",\n', '"content": "1"', '"tool_call_id": "1",\n', '"content": "2"')
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert '<tool_output name="now">\n2\n' in rendered("glimmer", messages=(*CALLING[:2], *results))


@pytest.mark.parametrize("name", ["laguna", "poolside-v1", "cohere", "glimmer"])
def test_tools_are_described(name):
    template = choose_template(None, "", bos_token="<s>", renderer=name)
    tools = (Tool(Function("w.get", "Looks.", {"type": "object"})), Tool(Function("w.set")))
    text = template.render(Conversation(messages=CALLING[:1], tools=tools)).text
    described = '"name": "w.get", "description": "Looks.", "parameters": {"type": "object"}'
    assert described in text
    assert '"w.set"' in text
    assert name != "glimmer" or '# Valid recipients: "self", "w.*", "user".<|eot|>' in text


def test_reasoning_strength_of_glimmer():
    assert "Reasoning strength: low.\n" in rendered("glimmer", think="low")
    told = (Message(role="system", content="Reasoning Effort: none"), *CHAT[1:2])
    assert "Reasoning Strength: none\n\n# Valid" in rendered("glimmer", think=True, messages=told)


def test_the_files_own_template_comes_first():
    assert choose_template(None, "{{ 'own' }}", renderer="qwen3-coder").source == "{{ 'own' }}"
    assert choose_template("{{ .Prompt }}", "{{ 'own' }}", renderer="unheard-of").source == "{{ 'own' }}"
    written = "{{ range .Messages }}{{ .Content }}{{ end }}"
    assert choose_template(written, "", renderer="qwen3-coder").source == written
    assert choose_template("{{ .Prompt }}", "", renderer="qwen3-coder").source == renderer_source("qwen3-coder")


def test_an_unknown_renderer_fails_when_it_is_needed():
    template = choose_template("{{ .Prompt }}", "", renderer="unheard-of")
    assert template.capabilities == frozenset()
    with pytest.raises(ModelError) as caught:
        template.render(Conversation(messages=CHAT))
    assert caught.value.message == 'unknown renderer "unheard-of"'
    assert caught.value.status == 500


def test_capabilities_are_those_of_the_renderer():
    def able(name: str) -> frozenset[Capability]:
        return choose_template(None, "", renderer=name).capabilities

    assert able("qwen3-coder") == {Capability.TOOLS}
    assert able("qwen3.5") == {Capability.TOOLS, Capability.THINKING}
