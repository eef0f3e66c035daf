"""A way in which models write answers, and how to know it (contract 12.5, 12.7)."""

from collections.abc import Callable, Sequence

import msgspec

from camelid.contracts.answers.parser import OutputParser
from camelid.types.capabilities import Capability
from camelid.types.messages import Tool

__all__ = ("AnswerFormat", "ThinkingTags")


class ThinkingTags(msgspec.Struct, frozen=True):
    """The texts between which a model thinks, before it answers."""

    open: str
    close: str
    begun: bool = False
    """A model that is to think does so from its first word: nobody need write the opening tag."""


class AnswerFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How the models of a family write thinking, text and tool calls. Registered through `camelid_answer_formats`.

    A format is chosen for a model if the model's config calls its parser so, else if all of `markers` occur in the
    text of its chat template.
    """

    name: str
    """What a model's config calls its parser; unique among the formats of plugins."""
    aliases: tuple[str, ...] = ()
    """Other names of it."""
    markers: tuple[str, ...] = ()
    """Texts that only templates of the family have; empty: it is chosen by name alone."""
    capabilities: frozenset[Capability] = frozenset({Capability.TOOLS})
    """Which of `tools` and `thinking` a model can do because it has this format, whatever its template says."""
    thinking: ThinkingTags | None = None
    """How it thinks; None: as its template tells. Texts between these tags are never content."""
    calls: Callable[[Sequence[Tool]], OutputParser] | None = None
    """Makes what takes tool calls out of one answer, from the tools on offer; best a class made of `ToolCallParser`.

    It reads what follows the thinking, and only if tools are on offer. None: the format has no calls.
    """
    whole: Callable[[Sequence[Tool], str], OutputParser] | None = None
    """Makes what reads one answer whole: for formats that mark text, too. Instead of `calls` and `thinking`.

    It takes the tools on offer, perhaps none, and the prompt, which may have begun the answer.
    """
