"""What an interactive chat remembers between two messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from camelid.cli.answer import Answer, Display, print_answer
from camelid.cli.messages import ChatBody, CreateBody, ShownModel
from camelid.errors import CamelidError
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Message

if TYPE_CHECKING:
    from camelid.cli.client import Client

__all__ = ("ChatSession",)


class ChatSession:
    """One conversation with one model at a time, and the settings that `/set` changes."""

    def __init__(
        self,
        client: Client,
        model: str,
        shown: ShownModel,
        display: Display,
        *,
        format_: JsonValue = None,
        think: bool | str | None = None,
        keep_alive: str | None = None,
        options: JsonObject | None = None,
    ) -> None:
        self.client = client
        self.model = model
        self.shown = shown
        self.display = display
        self.format = format_
        self.think = think
        self.keep_alive = keep_alive
        self.options: JsonObject = dict(options or {})
        self.system = ""
        self.keeps_history = True
        self.messages: list[Message] = []
        """What was said here; the server puts the model's own messages before them (contract 5.3)."""

    def send(self, text: str, images: tuple[bytes, ...] = ()) -> None:
        """Print the answer to a message and remember both.

        An answer that Ctrl+C cut short is remembered as far as it was printed. A message that failed is forgotten, so
        that it can be sent again.

        Raises:
            CamelidError: the server's error.
        """
        self.messages.append(Message("user", text, images=images))
        body = ChatBody(self.model, self._conversation(), self.format, self.think, self.keep_alive, self.options)
        try:
            answer: Answer = print_answer(self.client.chat(body), self.display)
        except CamelidError:
            self.messages.pop()
            raise
        if answer.content or answer.last is not None:
            self.messages.append(Message("assistant", answer.content, thinking=answer.thinking))
        else:
            self.messages.pop()

    def load(self, model: str | None = None) -> None:
        """Load the model, or change to another one and begin its conversation.

        Raises:
            CamelidError: it is not in the store, cannot be loaded, or cannot think although it shall; the session
                stays as it was.
        """
        wanted = {name: value for name, value in self.options.items() if name == "backend"}
        shown = self.shown if model is None else self.client.show(model)
        self.client.load(model or self.model, keep_alive=self.keep_alive, options=wanted, think=self.think)
        if model is not None:
            self.model, self.shown, self.messages = model, shown, []

    def save(self, name: str) -> None:
        """Make a model of the session: this model with our system message, parameters and conversation."""
        said = tuple(msgspec.structs.replace(message, images=(), thinking="") for message in self.messages)
        body = CreateBody(
            name,
            from_=self.model,
            system=self.system,
            parameters=self.options,
            messages=(*self.shown.messages, *said) if said else (),
        )
        for _line in self.client.create(body):
            pass

    def clear(self) -> None:
        """Forget the conversation; the settings stay."""
        self.messages.clear()

    def _conversation(self) -> tuple[Message, ...]:
        system = (Message("system", self.system),) if self.system else ()
        return (*system, *self.messages)
