"""What a parser takes out of an answer, the template writes into the next prompt as it was: a tool round trip."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.contracts.answers.parser import OutputParser
from camelid.prompts.choose import choose_template
from camelid.prompts.conversation import Conversation
from camelid.prompts.jinja import JinjaTemplate
from camelid.prompts.renderers.find import RENDERERS
from camelid.prompts.template import ChatTemplate
from camelid.prompts.tool_calls.choose import choose_parser
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall

ANYTHING = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "Words."},
        "count": {"type": "integer"},
        "exact": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "string"}},
        "from": {"type": "object", "properties": {}},
    },
    "required": ["text"],
}
TOOLS = (Tool(Function("find", "Finds.", ANYTHING)), Tool(Function("now", "The time.", {"type": "object"})))
QUESTION = Message(role="user", content="Q?")

JSON = "{{ f.arguments | tojson }}"
BOTH = '{"name": {{ f.name | tojson }}, "arguments": ' + JSON + "}"
RAW = "{{ value if value is string else value | tojson }}"
ITEMS = "{% for key, value in f.arguments.items() %}"

# What stands before the calls, each of them, what stands between two, and what after the last.
WRITTEN = {
    "qwen3": ("", "<tool_call>\n" + BOTH + "\n</tool_call>", "\n", ""),
    "qwen3-coder": (
        "",
        "<tool_call>\n<function={{ f.name }}>" + ITEMS + "<parameter={{ key }}>\n" + RAW + "\n</parameter>{% endfor %}"
        "</function>\n</tool_call>",
        "\n",
        "",
    ),
    "glm-ocr": (
        "",
        "<tool_call>{{ f.name }}" + ITEMS + "<arg_key>{{ key }}</arg_key><arg_value>" + RAW + "</arg_value>"
        "{% endfor %}</tool_call>",
        "",
        "",
    ),
    "llama": ("<|python_tag|>", '{"name": {{ f.name | tojson }}, "parameters": ' + JSON + "}", "; ", ""),
    "ministral": ("[TOOL_CALLS][", BOTH[:-1] + ', "id": "{{ call.id }}"}', ", ", "]"),
    "ministral, by name": ("", "[TOOL_CALLS]{{ f.name }}[ARGS]" + JSON, "", ""),
    "deepseek": (
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ f.name }}\n```json\n" + JSON + "\n```<｜tool▁call▁end｜>",
        "\n",
        "<｜tool▁calls▁end｜>",
    ),
    "cohere": (
        "<|START_ACTION|>[",
        '\n    {"tool_call_id": "0", "tool_name": {{ f.name | tojson }}, "parameters": ' + JSON + "}",
        ",",
        "\n]<|END_ACTION|>",
    ),
    "gemma": (
        "```tool_code\n",
        "{{ f.name }}(" + ITEMS + "{{ key }}={{ value | tojson }}{{ '' if loop.last else ', ' }}{% endfor %})",
        "\n",
        "\n```",
    ),
    "harmony": (
        "",
        "<|channel|>commentary to=functions.{{ f.name }} <|constrain|>json<|message|>" + JSON + "<|call|>",
        "<|start|>assistant",
        "",
    ),
    "glimmer": (
        "",
        ' to={{ f.name }}<|message|><atem:function_calls>\n<atem:invoke name="{{ f.name }}">' + ITEMS + ""
        '<atem:parameter name="{{ key }}">' + RAW + "</atem:parameter>{% endfor %}</atem:invoke>\n"
        "</atem:function_calls>",
        "<|eom|><|start|>assistant",
        "",
    ),
    "an array in tags of its own": ("<tools>[", BOTH, ", ", "]</tools>"),
    "names before the arguments": ("<|calls|>", "<|call|>functions.{{ f.name }}:0<|arguments|>" + JSON, "<|end|>", ""),
}


def written(name: str) -> JinjaTemplate:
    """A template of the kind."""
    before, each, between, after = WRITTEN[name]
    start = "<|start|>assistant" if name in ("harmony", "glimmer") else "<|assistant|>"
    answer = (
        f"{start}{{{{ message.content }}}}{{% if message.tool_calls %}}{before}"
        f"{{% for call in message.tool_calls %}}{{% set f = call.function %}}{each}"
        f"{{{{ {after!r} if loop.last else {between!r} }}}}{{% endfor %}}{{% endif %}}"
    )
    turn = "<|{{ message.role }}|>{{ message.content }}"
    return JinjaTemplate(
        "{% for message in messages %}{% if message.role == 'assistant' %}"
        f"{answer}{{% else %}}{turn}{{% endif %}}{{% endfor %}}{start}"
    )


@cache
def template_of(name: str) -> ChatTemplate:
    return choose_template(None, "", renderer=name) if name in RENDERERS and name not in WRITTEN else written(name)


PARSERS = {
    "cogito": "cogito",
    "deepseek3.1": "deepseek3",
    "gemma4-large": "gemma4",
    "gemma4-small": "gemma4",
    "olmo3-32b-think": "olmo3",
    "olmo3-think": "olmo3",
    "olmo3.1": "olmo3",
    "qwen3.8": "qwen3.5",
}
"""What the configs of models with these renderers call their parser, where that is another name."""

EVERY = sorted({*WRITTEN, *RENDERERS} - {"olmo3-think", "olmo3-32b-think"})


def arguments_of(name: str) -> st.SearchStrategy[dict[str, object]]:
    """Arguments that the format can write: not its own tags, and not what its white space hides."""
    words = st.text(st.sampled_from("aB9 'ö€\"\\{}[],:.\n"), max_size=12).map(str.strip)
    plain = {"text": words, "count": st.integers(-9, 99), "exact": st.booleans(), "list": st.lists(words, max_size=3)}
    nested = {"from": st.dictionaries(st.sampled_from("ab"), words, max_size=2)}
    return st.fixed_dictionaries({}, optional=plain | nested)


def wrote(template: ChatTemplate, calls: list[tuple[str, dict[str, object]]]) -> tuple[str, str]:
    """The prompt of an answer with calls, and the answer, as the template writes them."""
    made = (FunctionCall(name, arguments, place) for place, (name, arguments) in enumerate(calls))
    answer = Message(
        role="assistant",
        content="So.",
        tool_calls=tuple(ToolCall(function, f"{function.index:09}") for function in made),
    )
    prompt, text, rest = template.render(
        Conversation(messages=(QUESTION, answer), tools=TOOLS, think=False)
    ).text.rpartition("So.")
    return prompt, text + rest


def parser_of(name: str, template: ChatTemplate, prompt: str) -> OutputParser:
    parser = choose_parser(template, prompt, think=False, tools=TOOLS, named=PARSERS.get(name, name))
    assert parser is not None
    return parser


def read(parser: OutputParser, pieces: list[str]) -> list[tuple[str, dict[str, object]]]:
    found = [each for piece in pieces for each in parser.feed(piece)] + parser.finish()
    return [(call.function.name, call.function.arguments) for each in found for call in each.calls]


@pytest.mark.parametrize("name", EVERY)
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_calls_survive_the_round_trip(name, data):
    template = template_of(name)
    arguments = st.tuples(st.just("find"), arguments_of(name)) | st.just(("now", {}))
    calls = data.draw(st.lists(arguments, min_size=1, max_size=3))
    prompt, answer = wrote(template, calls)
    places = data.draw(st.lists(st.integers(0, len(answer)), max_size=8))
    edges = sorted({0, len(answer), *places})
    found = read(parser_of(name, template, prompt), [answer[start:end] for start, end in pairwise(edges)])
    assert found == calls
    assert wrote(template, found) == (prompt, answer)
