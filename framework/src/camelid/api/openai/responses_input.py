"""Input items of a response, as messages (contract 9.6)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from camelid.api.json_values import read_struct
from camelid.api.openai.messages import read_picture
from camelid.api.openai.responses_items import new_id
from camelid.errors import RequestError
from camelid.services.remote_pictures import RemotePictures
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import FunctionCall, Message, ToolCall

__all__ = ("read_input", "shown_items")

_ROLES: Final = {"developer": "system"}
_PICTURE: Final = "[img]"
"""Stands in a message's text for one of its pictures."""


class InputItemBody(msgspec.Struct):
    """A message, a call of a function, what it gave, or thoughts; which fields count depends on the type."""

    type: str = ""
    id: str = ""
    role: str = ""
    content: JsonValue = None
    call_id: str = ""
    name: str = ""
    namespace: str = ""
    arguments: str = ""
    output: JsonValue = None
    summary: JsonValue = None
    encrypted_content: str = ""


def _items(value: JsonValue) -> list[JsonObject]:
    """The input as a list of items."""
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": value}]}]
    if not isinstance(value, list):
        raise RequestError(f"input must be a string or array: got {type(value).__name__}")
    found: list[JsonObject] = []
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise RequestError(f"input[{place}]: input item must be an object")
        if not item.get("type") and not item.get("role"):
            raise RequestError(f"input[{place}]: input item missing required 'type' field")
        found.append({**item, "type": item.get("type") or "message"})
    return found


def shown_items(value: JsonValue) -> tuple[bytes, ...]:
    """The input items as clients may ask for them later, each with an id.

    Raises:
        RequestError: the input is no list of items.
    """
    kinds = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
    return tuple(
        msgspec.json.encode({**item, "id": item.get("id") or new_id(kinds.get(str(item["type"]), "item"))})
        for item in _items(value)
    )


async def read_input(value: JsonValue, pictures: RemotePictures, before: Sequence[Message] = ()) -> tuple[Message, ...]:
    """The messages of a request.

    Args:
        value: a text, or a list of items.
        pictures: loads those that are elsewhere.
        before: the conversation that the input continues; results of functions may answer its calls.

    Raises:
        RequestError: an item is malformed, or of a kind that no model here can be shown.
    """
    messages: list[Message] = []
    named = {call.id: call.function.name for message in before for call in message.tool_calls}
    thoughts = ""
    for place, raw in enumerate(_items(value)):
        item = read_struct(raw, InputItemBody, f"input[{place}]")
        match item.type:
            case "message":
                role = _ROLES.get(item.role.lower(), item.role.lower())
                content, images = await _content(item.content, pictures)
                thinking, thoughts = (thoughts, "") if role == "assistant" else ("", thoughts)
                messages.append(Message(role=role, content=content, images=images, thinking=thinking))
            case "function_call":
                call = _call(item)
                named[call.id] = call.function.name
                _add_call(messages, call, thoughts)
                thoughts = ""
            case "function_call_output":
                content, images = await _content(item.output, pictures, mark="")
                name = named.get(item.call_id, "")
                messages.append(Message("tool", content, tool_name=name, tool_call_id=item.call_id))
                if images:  # few templates let tools show anything
                    messages.append(Message("user", _PICTURE * len(images), images=images))
            case "reasoning":
                thoughts = item.encrypted_content or _summary(item.summary) or _summary(item.content)
            case "web_search_call":
                pass
            case _:
                raise RequestError(f'input[{place}]: unknown input item type: "{item.type}"')
    return tuple(messages)


def _add_call(messages: list[Message], call: ToolCall, thoughts: str) -> None:
    """Add a call to the answer before it, or begin one."""
    last = messages[-1] if messages else None
    if last is None or last.role != "assistant":
        last = Message(role="assistant", thinking=thoughts)
        messages.append(last)
    call.function.index = len(last.tool_calls)
    last.tool_calls += (call,)
    last.thinking = last.thinking or thoughts


def _call(item: InputItemBody) -> ToolCall:
    try:
        arguments = msgspec.json.decode(item.arguments.encode("utf-8", "replace") or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(f"failed to parse function call arguments: {error}") from error
    if not isinstance(arguments, dict):
        raise RequestError("failed to parse function call arguments: they must be an object")
    name = f"{item.namespace}.{item.name}" if item.namespace else item.name
    return ToolCall(FunctionCall(name, arguments), item.call_id)


def _summary(value: JsonValue) -> str:
    """The text of thoughts that are not in plain text otherwise."""
    parts = value if isinstance(value, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


async def _content(value: JsonValue, pictures: RemotePictures, mark: str = _PICTURE) -> tuple[str, tuple[bytes, ...]]:
    """Text and pictures of a message; the text has a mark where each picture belongs."""
    if isinstance(value, str) or value is None:
        return value or "", ()
    if not isinstance(value, list):
        raise RequestError("content must be a string or array")
    texts: list[str] = []
    images: list[bytes] = []
    for place, part in enumerate(value):
        match part:
            case {"type": "input_text" | "output_text" | "text" | "summary_text", "text": str(text)}:
                texts.append(text)
            case {"type": "refusal", "refusal": str(text)}:
                texts.append(text)
            case {"type": "input_image", "image_url": str(url) | {"url": str(url)}}:
                images.append(await read_picture(url, pictures))
                texts.append(mark)
            case {"type": "input_image"}:
                raise RequestError(f"content[{place}]: an input_image needs an image_url: files are not kept here")
            case {"type": "input_file"}:
                raise RequestError("file inputs are not currently supported")
            case {"type": str(kind)}:
                raise RequestError(f"content[{place}]: unknown content type: {kind}")
            case _:
                raise RequestError(f"content[{place}]: content part missing required 'type' field")
    return "".join(texts), tuple(images)
