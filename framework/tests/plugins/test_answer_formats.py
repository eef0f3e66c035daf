import pytest

from camelid.plugins.host import PluginHost
from camelid.plugins.record import PluginStatus
from camelid.plugins.report import records_as_text

FORMAT = """
from camelid import AnswerFormat, Steps, ThinkingTags, ToolCallParser

class ArrowParser(ToolCallParser):
    tags = ("=>",)

    def read_block(self) -> Steps[bool]:
        name = yield from self.text.before("{\\n")
        return self.offer(name.strip(), (yield from self.text.json()))

@hookimpl
def camelid_answer_formats(register):
    register(AnswerFormat(name="arrow", markers=("=>",), calls=ArrowParser, thinking=ThinkingTags("(", ")")))
"""


def registering(source: str) -> str:
    return f"from camelid import AnswerFormat, ThinkingTags\n@hookimpl\ndef camelid_answer_formats(register): {source}"


def test_a_plugin_registers_a_format(install):
    install("arrows", FORMAT)
    host = PluginHost.load(only={"arrows"})
    (found,) = host.catalog.answer_formats
    assert (found.name, found.plugin, found.distribution) == ("arrow", "arrows", "dist-arrows")
    assert "answer format arrow" in records_as_text(host.records)


def test_workers_read_no_answers(install):
    install("arrows", FORMAT)
    assert PluginHost.load(only={"arrows"}, process="worker").catalog.answer_formats == ()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("register('x')", "'x', which is no AnswerFormat"),
        ("register(AnswerFormat(name=''))", "whose name is ''"),
        ("register(AnswerFormat(name='x', markers='<x>'))", "markers are '<x>', not a tuple of strings"),
        ("register(AnswerFormat(name='x', aliases=('',)))", "aliases are ('',), not a tuple of strings"),
        ("register(AnswerFormat(name='x', capabilities=('tools',)))", "not a frozenset of Capability"),
        ("register(AnswerFormat(name='x', capabilities=frozenset({'fly'})))", "not a frozenset of Capability"),
        ("register(AnswerFormat(name='x', thinking=('<', '>')))", "not ThinkingTags with two texts"),
        ("register(AnswerFormat(name='x', thinking=ThinkingTags('', '>')))", "not ThinkingTags with two texts"),
        ("register(AnswerFormat(name='x', calls=3))", "calls or whole cannot be called"),
        ("register(AnswerFormat(name='x', whole=print, calls=print))", "whole reads everything"),
    ],
)
def test_a_format_that_is_wrong_breaks_its_plugin(install, source, reason):
    install("bad", registering(source))
    host = PluginHost.load(only={"bad"})
    (record,) = (record for record in host.records if record.name == "bad")
    assert record.status is PluginStatus.BROKEN
    assert reason in record.reason
    assert host.catalog.answer_formats == ()


def test_two_plugins_cannot_have_one_name(install):
    install("one", FORMAT)
    install("two", FORMAT)
    host = PluginHost.load(only={"one", "two"})
    assert [each.plugin for each in host.catalog.answer_formats] == ["one"]
    (record,) = (record for record in host.records if record.name == "two")
    assert "'arrow', which dist-one has already" in record.reason
