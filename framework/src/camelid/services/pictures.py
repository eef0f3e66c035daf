"""Where the pictures of a conversation stand in its prompt (contract 3.5, 4.4)."""

import re
from collections.abc import Iterable, Sequence
from secrets import token_hex
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.types.messages import Message

__all__ = ("PICTURE_TOKENS", "Pictures")

PICTURE_TOKENS: Final = 768
"""What a picture is counted as when messages are left out (contract 3.5); its true length is known to the worker."""

_PLACE: Final = "[img]"
"""What a client writes where a picture shall stand."""


class Pictures:
    """The pictures of one request, and the marks that stand for them in texts until these are a prompt.

    A mark cannot be guessed: whatever else is in the messages, none of it is taken for a picture.
    """

    def __init__(self) -> None:
        secret = token_hex(8)
        self.marker = f"[img-{secret}]"
        """Stands in the finished prompt where a picture belongs."""
        self._mark = f"[img-{secret}-{{}}]"
        self._marks = re.compile(rf"\[img-{secret}-(\d+)\]")
        self._files: list[bytes] = []

    def place(self, messages: Iterable[Message]) -> list[Message]:
        """The messages with a mark for each picture: in place of `[img]`, as long as there are any, else in front."""
        return [self._placed(message) for message in messages]

    def _placed(self, message: Message) -> Message:
        if not message.images:
            return message
        first = len(self._files)
        self._files += message.images
        marks = [self._mark.format(first + number) for number in range(len(message.images))]
        content = message.content
        rest = list(marks)
        while rest and _PLACE in content:
            content = content.replace(_PLACE, rest.pop(0), 1)
        return msgspec.structs.replace(message, content="".join(rest) + content)

    def collect(self, prompt: str, messages: Sequence[Message]) -> tuple[str, tuple[bytes, ...]]:
        """Find the pictures in a rendered prompt.

        Args:
            prompt: what a template made of `messages`.
            messages: of those that `place` gave.

        Returns:
            The prompt with `marker` for each picture, and their files in the same order.

        Raises:
            RequestError: the template leaves a picture out.
        """
        found = [int(number) for number in self._marks.findall(prompt)]
        if len(set(found)) < sum(len(message.images) for message in messages):
            raise RequestError("the model's template has no place for one of the pictures: send it in a user message")
        return self._marks.sub(lambda _: self.marker, prompt), tuple(self._files[number] for number in found)
