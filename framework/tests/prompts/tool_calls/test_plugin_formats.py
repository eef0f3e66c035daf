"""Formats that plugins brought: they come first, and their mistakes cost nobody an answer."""

import logging
from collections.abc import Callable

import pytest

from camelid.contracts.answers.format import AnswerFormat, ThinkingTags
from camelid.contracts.answers.parser import OutputParser, Parsed
from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.jinja import JinjaTemplate
from camelid.prompts.tool_calls.choose import choose_format, choose_parser
from camelid.prompts.tool_calls.guard import GuardedParser
from camelid.types.messages import Function, FunctionCall, Tool, ToolCall

TOOLS = (Tool(Function("now")), Tool(Function("search")))


class ArrowParser(ToolCallParser):
    tags = ("=>",)
    markup = tags

    def read_block(self) -> Steps[bool]:
        name = yield from self.text.before("{\n")
        return self.offer(name.strip(), (yield from self.text.json()))


def registered(**fields: object) -> RegisteredAnswerFormat:
    known = AnswerFormat(**({"name": "arrow", "calls": ArrowParser} | fields))  # type: ignore[arg-type]
    return RegisteredAnswerFormat(known, plugin="arrows", distribution="dist-arrows")


def joined(pieces: list[Parsed]) -> tuple[str, str, list[str]]:
    names = [call.function.name for each in pieces for call in each.calls]
    return "".join(each.thinking for each in pieces), "".join(each.content for each in pieces), names


def read(parser: OutputParser | None, *pieces: str) -> tuple[str, str, list[str]]:
    assert parser is not None
    return joined([found for piece in pieces for found in parser.feed(piece)] + parser.finish())


def chosen(fields: dict[str, object], *, source: str = "", named: str = "arrow", tools=TOOLS) -> OutputParser | None:
    formats = [registered(**fields)]
    return choose_parser(JinjaTemplate(source), "", think=None, tools=tools, named=named, formats=formats)


@pytest.mark.parametrize(
    ("fields", "source", "named", "ours"),
    [
        ({}, "", "arrow", True),
        ({"aliases": ("dart",)}, "<tool_call>", "dart", True),
        ({"name": "qwen3"}, "<tool_call>", "qwen3", True),
        ({"markers": ("=>", "<tool_call>")}, "<tool_call> =>", "", True),
        ({"markers": ("=>", "<tool_call>")}, "<tool_call>", "", False),
        ({}, "", "", False),
        ({}, "=>", "", False),
    ],
)
def test_by_name_or_by_all_markers_before_the_built_in_ones(fields, source, named, ours):
    found = choose_format(source, named, [registered(**fields)])
    assert (found is not None and found.plugin == "arrows") is ours


def test_thoughts_text_and_calls():
    parser = chosen({"thinking": ThinkingTags("(", ")")})
    assert read(parser, "(hm)So", '=>now{"a', '": 1}', " Wait") == ("hm", "So Wait", ["now"])
    assert parser is not None
    assert parser.markup == ("(", ")", "=>")
    assert parser.thoughts == ("(", ")")


def test_without_tools_only_thoughts_are_read():
    assert read(chosen({"thinking": ThinkingTags("(", ")")}, tools=()), "(hm)=>now{}") == ("hm", "=>now{}", [])
    assert chosen({}, tools=()) is None


def test_a_parser_of_the_whole_answer_knows_the_prompt():
    def build(tools: tuple[Tool, ...], prompt: str) -> OutputParser:
        assert tools == ()
        assert prompt == "Q"
        return ArrowParser(TOOLS)

    formats = [registered(calls=None, whole=build)]
    parser = choose_parser(JinjaTemplate(""), "Q", think=None, named="arrow", formats=formats)
    assert read(parser, "=>now{}") == ("", "", ["now"])


class FailingParser(OutputParser):
    """Gives capitals as thoughts, a call for each `!`, other text as content a piece later; fails at `?`."""

    def __init__(self, tools: object) -> None:
        self.held = ""

    def feed(self, text: str) -> list[Parsed]:
        if "?" in text:
            raise KeyError(text)
        before, self.held = self.held, text
        return self._read(before)

    def finish(self) -> list[Parsed]:
        return self._read(self.held)

    def _read(self, text: str) -> list[Parsed]:
        if text == "!":
            return [Parsed(calls=(ToolCall(FunctionCall("now")),))]
        return [] if not text else [Parsed(thinking=text) if text.isupper() else Parsed(content=text)]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["ab", "c?d", "e"], ("", "abc?de", [])),
        (["AB", "c", "?", "e?"], ("AB", "c?e?", [])),
        (["a", "a", "a", "?"], ("", "aaa?", [])),
        (["a", "!", "b", "c", "?d"], ("", "abc?d", ["now"])),
        (["?"], ("", "?", [])),
    ],
)
def test_a_parser_that_fails_loses_nothing(pieces, expected, caplog):
    assert read(chosen({"calls": FailingParser}), *pieces) == expected
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "arrows (dist-arrows)" in record.getMessage()
    assert "'arrow'" in record.getMessage()
    assert "KeyError" in record.getMessage()


class Wrong(OutputParser):
    """Returns what it was made with."""

    def __init__(self, found: object) -> None:
        self.found = found

    def feed(self, text: str) -> list[Parsed]:
        return self.found  # type: ignore[return-value]

    def finish(self) -> list[Parsed]:
        return []


@pytest.mark.parametrize(
    "found",
    [
        None,
        "text",
        [3],
        [Parsed(content=3)],  # type: ignore[arg-type]
        [Parsed(calls=(3,))],  # type: ignore[arg-type]
        [Parsed(calls=(ToolCall(FunctionCall("now", [])),))],  # type: ignore[arg-type]
        [Parsed(calls=(ToolCall(FunctionCall("now", {"a": {3j}})),))],
    ],
)
def test_what_is_no_answer_is_not_passed_on(found, caplog):
    assert read(chosen({"calls": lambda _: Wrong(found)}), "a", "b") == ("", "ab", [])
    assert len(caplog.records) == 1


def raising(error: BaseException) -> Callable[[object], OutputParser]:
    def build(_: object) -> OutputParser:
        raise error

    return build


@pytest.mark.parametrize("build", [raising(ValueError("no")), raising(SystemExit(3)), lambda _: None, lambda: None])
def test_a_parser_that_cannot_be_made(build, caplog):
    parser = chosen({"calls": build})
    assert isinstance(parser, GuardedParser)
    assert read(parser, "=>now{}") == ("", "=>now{}", [])
    assert len(caplog.records) == 1
