"""Messages as Anthropic's clients write them: turns made of content blocks (contract 10.2)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from camelid.api.base64_files import decode_files
from camelid.api.json_values import read_struct
from camelid.errors import RequestError
from camelid.types.json import JsonValue
from camelid.types.messages import FunctionCall, Message, ToolCall

__all__ = ("LoadPicture", "TurnBody", "read_system", "read_turns")

LoadPicture: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Gets the picture at an address."""

_PICTURE: Final = "[img]"
"""Stands in a message's text for one of its pictures."""


class TurnBody(msgspec.Struct):
    """One turn."""

    role: str = ""
    content: JsonValue = None
    """A text, or a list of content blocks."""


class SourceBody(msgspec.Struct):
    """Where an image or a document is."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""


class ContentBlockBody(msgspec.Struct):
    """A piece of a turn; which fields count depends on its type. `cache_control` and `citations` are ignored."""

    type: str = ""
    text: str = ""
    source: SourceBody | None = None
    id: str = ""
    name: str = ""
    input: dict[str, object] = {}
    tool_use_id: str = ""
    content: JsonValue = None
    is_error: bool = False
    thinking: str = ""
    title: str = ""


def _blocks(value: JsonValue, where: str) -> list[ContentBlockBody]:
    """The content of a turn, or of a tool's result.

    Raises:
        RequestError: it is neither a text nor a list of blocks.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [ContentBlockBody(type="text", text=value)]
    if not isinstance(value, list):
        raise RequestError(f"{where}: must be a string or a list of content blocks")
    return [read_struct(item, ContentBlockBody, f"{where}[{place}]") for place, item in enumerate(value)]


def read_system(value: JsonValue) -> tuple[Message, ...]:
    """The system text, as a message; none if it is empty.

    Raises:
        RequestError: it is neither a text nor a list of blocks.
    """
    text = "".join(block.text for block in _blocks(value, "system") if block.type in ("text", ""))
    return (Message(role="system", content=text),) if text else ()


async def read_turns(turns: Sequence[TurnBody], load: LoadPicture) -> tuple[Message, ...]:
    """The messages of a request. A user's turn is several if it has results of tools: these come first.

    Args:
        turns: of the request.
        load: gets pictures that the request names by address.

    Raises:
        RequestError: a content block is malformed, or of a kind that no model here can be shown.
    """
    named: dict[str, str] = {}
    found: list[Message] = []
    for place, turn in enumerate(turns):
        blocks = _blocks(turn.content, f"messages[{place}].content")
        if turn.role == "assistant":
            found.append(_answer(blocks, named))
        else:
            found += await _question(turn.role, blocks, named, load)
    return tuple(found)


def _answer(blocks: Sequence[ContentBlockBody], named: dict[str, str]) -> Message:
    """An earlier answer; remembers what its calls were called."""
    calls: list[ToolCall] = []
    thinking = ""
    for block in blocks:
        if block.type == "thinking":
            thinking = block.thinking
        elif block.type == "tool_use":
            for field in ("id", "name"):
                if not getattr(block, field):
                    raise RequestError(f"tool_use block missing required '{field}' field")
            named[block.id] = block.name
            calls.append(ToolCall(FunctionCall(block.name, block.input, len(calls)), block.id))
    text = "".join(block.text for block in blocks if block.type == "text")
    return Message(role="assistant", content=text, thinking=thinking, tool_calls=tuple(calls))


async def _question(
    role: str, blocks: Sequence[ContentBlockBody], named: dict[str, str], load: LoadPicture
) -> list[Message]:
    """A turn of the user's. What tools show is put before what the user shows: few templates let tools show anything.

    Raises:
        RequestError: a block is malformed.
    """
    found: list[Message] = []
    shown: list[ContentBlockBody] = []
    for block in blocks:
        if block.type != "tool_result":
            continue
        inner = _blocks(block.content, "tool_result.content")
        shown += [each for each in inner if each.type == "image"]
        text, _ = await _read([each for each in inner if each.type != "image"], load)
        told = f"Error: {text}" if block.is_error and not text.lower().startswith("error") else text
        name = named.get(block.tool_use_id, "")
        found.append(Message(role="tool", content=told, tool_name=name, tool_call_id=block.tool_use_id))
    said = [block for block in blocks if block.type != "tool_result"]
    if shown or said or not blocks:
        content, images = await _read([*shown, *said], load)
        found.append(Message(role=role, content=content, images=images))
    return found


async def _read(blocks: Sequence[ContentBlockBody], load: LoadPicture) -> tuple[str, tuple[bytes, ...]]:
    """Text and pictures of some blocks; the text has a mark where each picture belongs.

    Raises:
        RequestError: a block is malformed, or a document is no text.
    """
    parts: list[str] = []
    images: list[bytes] = []
    for block in blocks:
        if block.type == "text":
            parts.append(block.text)
        elif block.type == "image":
            images.append(await _image(block.source, load))
            parts.append(_PICTURE)
        elif block.type == "document":
            parts.append(_document(block))
    return "".join(parts), tuple(images)


async def _image(source: SourceBody | None, load: LoadPicture) -> bytes:
    if source is None:
        raise RequestError("invalid image source")
    if source.type == "url":
        return await load(source.url)
    if source.type != "base64":
        raise RequestError(f"invalid image source type: {source.type}. Only base64 images are supported.")
    try:
        (image,) = await decode_files((source.data,))
    except RequestError as error:
        raise RequestError(f"invalid base64 image data: {error.message}", reason=error.reason) from error
    return image


def _document(block: ContentBlockBody) -> str:
    """A document's text; leaving one out unseen would make an answer look as if it were about it."""
    if block.source is None or block.source.type != "text":
        kind = block.source.type if block.source is not None else ""
        raise RequestError(f'invalid document source type: "{kind}". Only text documents are supported.')
    return f"{block.title}\n{block.source.data}\n" if block.title else f"{block.source.data}\n"
