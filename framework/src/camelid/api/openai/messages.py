"""Chat messages as OpenAI's requests carry them (contract 9.2)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from camelid.api.base64_files import decode_files
from camelid.errors import RequestError
from camelid.services.remote_pictures import RemotePictures
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import FunctionCall, Message, ToolCall

__all__ = ("ChatMessage", "read_messages", "read_picture")

_DATA_URL: Final = re.compile(r"data:(?:image/(?:jpeg|jpg|png|webp))?;base64,", re.IGNORECASE)


class ChatToolCallFunction(msgspec.Struct):
    """A function that the model called in an earlier turn."""

    name: str = ""
    arguments: JsonValue = None
    """JSON as text."""


class ChatToolCall(msgspec.Struct):
    """A call in an earlier turn."""

    id: str = ""
    function: ChatToolCallFunction = msgspec.field(default_factory=ChatToolCallFunction)


class ChatMessage(msgspec.Struct):
    """One turn."""

    role: str = ""
    content: JsonValue = None
    """Text, or parts of text, pictures and sound."""
    reasoning: str = ""
    reasoning_content: str = ""
    """How some clients call the same."""
    tool_calls: tuple[ChatToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


async def read_messages(messages: Iterable[ChatMessage], pictures: RemotePictures) -> tuple[Message, ...]:
    """The messages of a request. Parts of text become one text, line after line.

    Raises:
        RequestError: a message has no content, or one that cannot be read.
    """
    read: list[Message] = []
    for message in messages:
        texts, files = await _content(message, pictures)
        read.append(
            Message(
                role=_role(message.role),
                content="\n".join(texts),
                thinking=message.reasoning or message.reasoning_content,
                images=tuple(files),
                tool_calls=tuple(_call(call, place) for place, call in enumerate(message.tool_calls)),
                tool_name=(message.name or _called(message.tool_call_id, read)) if message.role == "tool" else "",
                tool_call_id=message.tool_call_id,
            )
        )
    return tuple(read)


def _role(given: str) -> str:
    """A role in templates' words: they know the developer as the system."""
    role = given.lower()
    return "system" if role == "developer" else role


async def _content(message: ChatMessage, pictures: RemotePictures) -> tuple[list[str], list[bytes]]:
    """Texts and files of a message, each in their order."""
    content = message.content
    if isinstance(content, str):
        return [content], []
    if content is None and message.tool_calls:
        return [], []
    if not isinstance(content, list):
        kind = {bool: "bool", int: "float64", float: "float64", dict: "map[string]interface {}"}.get(
            type(content), "<nil>"
        )
        raise RequestError(f"invalid message content type: {kind}")
    texts: list[str] = []
    files: list[bytes] = []
    for part in content:
        match part:
            case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
                texts.append(text)
            case {"type": "image_url", "image_url": str(url) | {"url": str(url)}}:
                files.append(await read_picture(url, pictures))
            case {"type": "input_audio", "input_audio": sound}:
                files.append(await _sound(sound))
            case _:
                raise RequestError("invalid message format")
    return texts, files


async def read_picture(url: str, pictures: RemotePictures) -> bytes:
    """The file that a data URL holds, or that stands where another URL says.

    Raises:
        RequestError: it does neither, or may not be loaded.
    """
    if url.lower().startswith(("http://", "https://")):
        return await pictures.load(url)
    head = _DATA_URL.match(url)
    if head is None:
        raise RequestError("invalid image input")
    return await _file(url[head.end() :], "invalid image input")


async def _sound(sound: JsonValue) -> bytes:
    if not isinstance(sound, dict):
        raise RequestError("invalid input_audio format")
    data = sound.get("data")
    if not isinstance(data, str) or not data:
        raise RequestError("invalid input_audio format: missing data")
    return await _file(data, "invalid input_audio base64 data")


async def _file(text: str, complaint: str) -> bytes:
    try:
        (file,) = await decode_files((text,))
    except RequestError as error:
        raise RequestError(f"{complaint}: {error.message}") from error
    return file


def _call(call: ChatToolCall, place: int) -> ToolCall:
    return ToolCall(FunctionCall(call.function.name, _arguments(call.function.arguments), place), call.id)


def _arguments(value: JsonValue) -> JsonObject:
    """Arguments from their text; clients send none for functions without parameters."""
    if isinstance(value, str) and value.strip():
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RequestError("invalid tool call arguments", reason=str(error)) from error
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise RequestError("invalid tool call arguments")
    return value


def _called(call_id: str, before: Sequence[Message]) -> str:
    """The function of the last call with this id."""
    calls = (call for message in reversed(before) for call in reversed(message.tool_calls))
    return next((call.function.name for call in calls if call.id == call_id), "")
