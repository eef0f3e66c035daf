"""The messages that a model gets to see: its own history and system text, then the request's (contract 5.3)."""

import re
from collections.abc import Sequence

import msgspec

from camelid.store.stored import StoredModel
from camelid.types.messages import Message

__all__ = ("assemble", "kept_from", "turn_starts")

_LEADING_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)


def assemble(
    model: StoredModel, messages: Sequence[Message], *, system: str | None = None, history: bool = True
) -> list[Message]:
    """The whole conversation for a request's messages.

    Args:
        model: gives the history and the system text.
        messages: of the request; the system text is left out if the first of them is a system message.
        system: replaces the model's system text.
        history: put the model's history in front.
    """
    conversation = [*(model.messages if history else ()), *messages]
    text = model.system if system is None else system
    if text and messages and messages[0].role != "system":
        conversation.insert(0, Message(role="system", content=text))
    if model.config.model_family == "qwen3" or model.name.model == "deepseek-r1":
        conversation = _without_old_thoughts(conversation)
    return conversation


def _without_old_thoughts(messages: list[Message]) -> list[Message]:
    """Answers before the last question lose their thinking: these models were trained that way."""
    last_question = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    return [
        msgspec.structs.replace(message, content=_LEADING_THOUGHT.sub("", message.content))
        if message.role == "assistant" and place < last_question
        else message
        for place, message in enumerate(messages)
    ]


def turn_starts(messages: Sequence[Message]) -> list[int]:
    """Places that a shortened conversation may begin at, ascending: the beginning, each question, the last message.

    Not in the middle of a turn: an answer without its question helps no model, and many templates refuse it.
    """
    questions = (place for place, message in enumerate(messages) if message.role == "user")
    return sorted({0, *questions, max(len(messages) - 1, 0)})


def kept_from(messages: Sequence[Message], start: int) -> list[Message]:
    """The messages from `start` on, and every system message before."""
    return [message for message in messages[:start] if message.role == "system"] + list(messages[start:])
