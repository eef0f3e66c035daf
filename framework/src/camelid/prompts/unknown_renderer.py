"""What stands in for the template of a model that nobody knows how to prompt."""

from typing import NoReturn

from camelid.errors import ModelError
from camelid.prompts.conversation import Conversation
from camelid.prompts.template import ChatTemplate
from camelid.types.capabilities import Capability

__all__ = ("UnknownRenderer",)


class UnknownRenderer(ChatTemplate):
    """Refuses every conversation (contract 12.7), so that the model can be shown and copied all the same."""

    language = "go"
    thinking_tags = None
    source = ""
    tool_round_trip = False

    def __init__(self, name: str) -> None:
        """Remember what the model's config calls its renderer."""
        self._name = name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """None."""
        return frozenset()

    def render(self, conversation: Conversation) -> NoReturn:  # noqa: ARG002 - whatever it is
        """Refuse.

        Raises:
            ModelError: always.
        """
        raise ModelError(
            f'unknown renderer "{self._name}"',
            reason="the model's config names it, and the model has no template; give it a TEMPLATE",
        )
