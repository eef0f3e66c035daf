"""The role of a chat template, whatever language it is written in."""

from abc import ABC, abstractmethod
from typing import ClassVar

from camelid.prompts.conversation import Conversation
from camelid.prompts.rendered import RenderedPrompt
from camelid.types.capabilities import Capability

__all__ = ("ChatTemplate",)


class ChatTemplate(ABC):
    """Turns conversations into prompts. Immutable, so it may be shared by threads.

    Templates come with models: they are hostile until proven otherwise. A render ends within a few seconds, whatever
    the template does, but computes all that time: keep it off the event loop.
    """

    language: ClassVar[str]
    """`go` or `jinja`."""

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[Capability]:
        """Which of `tools`, `insert` and `thinking` the template knows (contract 12.3)."""

    @property
    @abstractmethod
    def thinking_tags(self) -> tuple[str, str] | None:
        """The texts between which the model thinks (contract 12.5); None if the template tells of none."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The template's text, which shows the tags that its model writes."""

    @property
    def tool_call_tag(self) -> str:
        """The text in front of tool calls (contract 12.6); `{` if the template tells of none."""
        return "{"

    @property
    @abstractmethod
    def tool_round_trip(self) -> bool:
        """Whether earlier tool calls and their results both reach the prompt (contract 12.4)."""

    @abstractmethod
    def render(self, conversation: Conversation) -> RenderedPrompt:
        """The prompt.

        Raises:
            RequestError: the template refuses this conversation, in its own words.
            UnsupportedCapabilityError: the conversation has a suffix and the template no place for it.
            ModelError: the template fails, or exceeds what a template may use.
        """
