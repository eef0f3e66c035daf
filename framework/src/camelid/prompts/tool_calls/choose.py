"""Which parser reads a model's answers (contract 12.5 to 12.7)."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from camelid.contracts.answers.format import AnswerFormat
from camelid.contracts.answers.parser import OutputParser
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.pipeline import Pipeline
from camelid.prompts.template import ChatTemplate
from camelid.prompts.thinking import ThinkingSplitter
from camelid.prompts.tool_calls.formats import BUILT_IN
from camelid.prompts.tool_calls.generic import GenericParser
from camelid.prompts.tool_calls.guard import GuardedParser
from camelid.types.messages import Tool

__all__ = ("choose_format", "choose_parser")


def choose_parser(
    template: ChatTemplate,
    prompt: str,
    *,
    think: bool | str | None,
    tools: Sequence[Tool] = (),
    named: str = "",
    formats: Sequence[RegisteredAnswerFormat] = (),
) -> OutputParser | None:
    """What reads the answer to `prompt`; None if all of it is content.

    Args:
        template: made the prompt; its text tells the model's tags.
        prompt: may have begun the answer, for example by opening the thinking.
        think: whether the model was to think.
        tools: those on offer; without any, nothing is a call.
        named: what the model's config calls its parser; may be unknown, or empty.
        formats: those of plugins.
    """
    found = choose_format(template.source, named, formats)
    known = None if found is None else found.descriptor
    if found is not None and known is not None and known.whole is not None:
        whole = known.whole
        return _built(found, lambda: whole(tools, prompt))
    thinking = _thinking(template, known, prompt, think)
    calls: OutputParser | None = None
    if found is None or known is None:
        calls = GenericParser(tools, template.tool_call_tag) if tools else None
    elif tools and known.calls is not None:
        build = known.calls
        calls = _built(found, lambda: build(tools))
    if thinking is None or calls is None:
        return thinking or calls
    return Pipeline(thinking, calls)


def choose_format(
    source: str, named: str = "", formats: Sequence[RegisteredAnswerFormat] = ()
) -> RegisteredAnswerFormat | None:
    """The format that a parser's name, or else a template's text, belongs to; None if it is not known.

    Args:
        source: the template's text; may be empty.
        named: what the model's config calls its parser; may be unknown, or empty.
        formats: those of plugins. Somebody installed them to have them used: they are asked before the built-in ones.
    """
    return _fitting(source, named, formats) or _built_in(source, named)


@lru_cache(maxsize=64)
def _built_in(source: str, named: str) -> RegisteredAnswerFormat | None:
    """Looking for all markers in a long template takes a fifth of a millisecond."""
    return _fitting(source, named, BUILT_IN)


def _fitting(source: str, named: str, known: Sequence[RegisteredAnswerFormat]) -> RegisteredAnswerFormat | None:
    by_name = (each for each in known if named and named in (each.name, *each.descriptor.aliases))
    by_markers = (each for each in known if _marked(each.descriptor, source))
    return next(by_name, None) or next(by_markers, None)


def _marked(known: AnswerFormat, source: str) -> bool:
    return bool(known.markers) and all(marker in source for marker in known.markers)


def _built(found: RegisteredAnswerFormat, build: Callable[[], OutputParser]) -> OutputParser:
    """A parser; a plugin's one is watched."""
    return GuardedParser(build, found) if found.plugin else build()


def _thinking(
    template: ChatTemplate, known: AnswerFormat | None, prompt: str, think: bool | str | None
) -> ThinkingSplitter | None:
    """What takes the thoughts out; None if the model shall not think, or its tags are unknown.

    A template that opens the thinking whatever it is told gets its tags taken out whatever the client wants. So do
    tags that the format is known for: there is nothing else that they could mean.
    """
    if known is not None and not known.capabilities:
        return None
    if known is not None and known.thinking is not None:
        tags = known.thinking
        begun = tags.begun and bool(think)
        splitter = ThinkingSplitter.after(prompt, (tags.open, tags.close), begun=begun)
        if think is False and not splitter.starts_inside:
            splitter.thoughts = None  # an answer in a format is held to it at once (contract 3.4)
        return splitter
    inferred = template.thinking_tags
    if inferred is None:
        return None
    splitter = ThinkingSplitter.after(prompt, inferred)
    return splitter if think or splitter.starts_inside else None
