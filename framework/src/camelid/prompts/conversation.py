"""What a prompt is made from."""

import msgspec

from camelid.types.messages import Message, Tool

__all__ = ("Conversation",)


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The turns so far and what the next one may use. The next turn is always the assistant's."""

    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    think: bool | str | None = None
    """Contract 3.3: whether the model should think, how much (`low`, `medium`…), or None where nobody said."""
    prompt: str = ""
    """With `suffix`: the text before the gap (contract 4.4). Without messages: the only user turn."""
    suffix: str = ""
    """The text after the gap; needs a template with the capability `insert`."""

    @property
    def thinks(self) -> bool:
        """Whether thinking was asked for."""
        return bool(self.think)

    @property
    def think_level(self) -> str:
        """`medium` for a plain true, the word that was given, or nothing."""
        if isinstance(self.think, str):
            return self.think
        return "medium" if self.think else ""

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages, or the bare prompt as one."""
        if self.messages or not self.prompt:
            return self.messages
        return (Message(role="user", content=self.prompt),)
