"""Modelfiles: how people write down what a model is made of (contract 11, 7.3.1)."""

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.store.parameters import DEPRECATED, parameter_lines, parameter_text, parse_parameter
from camelid.types.json import JsonObject
from camelid.types.messages import Message

__all__ = ("Modelfile", "decode", "parse", "write")

_KEYWORDS: Final = (
    "from",
    "license",
    "template",
    "system",
    "adapter",
    "draft",
    "renderer",
    "parser",
    "parameter",
    "message",
    "requires",
)
_UNKNOWN_KEYWORD = "command must be one of " + ", ".join(f'"{word}"' for word in _KEYWORDS[:-1]) + ', or "requires"'
_WRONG_ROLE = 'message role must be one of "system", "user", or "assistant"'
_ROLES = frozenset({"system", "user", "assistant"})
_WRONG_VERSION = "requires must be a valid semver (e.g. 0.14.0)"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_RELEASE = rf"{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*"
_VERSION = re.compile(
    rf"{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-(?:{_RELEASE})(?:\.(?:{_RELEASE}))*)?(?:\+{_IDENTIFIERS})?)?)?"
)
_BLANKS = " \t"
_LINE_ENDS = "\r\n"
_QUOTES = ('"""', '"')
_GAP = re.compile(r"(?:[ \t\r\n]++|#[^\r\n]*+)*+")
_KEYWORD = re.compile(r"[^\r\n]?[A-Za-z]*")
_FIRST_WORDS: Final = {"parameter": re.compile(r"[A-Za-z0-9_]*"), "message": re.compile(r"[A-Za-z]*")}
_SHAPES: Final = {
    "parameter": "takes a name of letters, digits and _, one blank, and a value",
    "message": "takes system, user or assistant, one blank, and a text",
}
_BLANK_RUN = re.compile(r"[ \t]*")
_REST_OF_LINE = re.compile(r"[^\r\n]*")


class Modelfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a Modelfile says."""

    from_: tuple[str, ...]
    """Paths or model names; at least one."""
    adapters: tuple[str, ...] = ()
    """At most one when parsed."""
    draft: str = ""
    template: str | None = None
    system: str | None = None
    parameters: JsonObject = {}
    """`stop` is a list of strings."""
    licenses: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    """Without a leading `v`."""
    warnings: tuple[str, ...] = ()
    """One sentence for each line that was skipped."""


def decode(content: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        RequestError: it is neither.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            "the Modelfile is neither UTF-8 nor UTF-16 text; save it as UTF-8", reason=str(error)
        ) from error


def parse(text: str) -> Modelfile:
    """Read a Modelfile.

    Raises:
        RequestError: with Ollama's words for what is wrong (contract 11.2).
    """
    lists: dict[str, list[str]] = {"from": [], "license": []}
    last: dict[str, str] = {}
    parameters: JsonObject = {}
    messages: list[Message] = []
    warnings: list[str] = []
    instructions = list(_instructions(text))
    if all(keyword != "from" for keyword, _word, _text in instructions):
        raise RequestError("no FROM line")
    for keyword, word, value in instructions:
        if keyword == "parameter" and word in DEPRECATED:
            warnings.append(f"warning: parameter {word} is deprecated")
        elif keyword == "parameter":
            parse_parameter(parameters, word, value)
        elif keyword == "message":
            messages.append(Message(role=word, content=value))
        elif keyword in lists:
            lists[keyword].append(value)
        else:
            last[keyword] = _version(value) if keyword == "requires" else value
    return Modelfile(
        from_=tuple(lists["from"]),
        adapters=(last["adapter"],) if "adapter" in last else (),
        draft=last.get("draft", ""),
        template=last.get("template"),
        system=last.get("system"),
        parameters=parameters,
        licenses=tuple(lists["license"]),
        messages=tuple(messages),
        renderer=last.get("renderer", ""),
        parser=last.get("parser", ""),
        requires=last.get("requires", ""),
        warnings=tuple(warnings),
    )


def write(modelfile: Modelfile, comments: Sequence[str] = ()) -> str:
    """The text of a Modelfile, which `parse` reads back.

    Args:
        modelfile: what it shall say. The first `from_` stands first, further ones after adapter and draft.
        comments: lines to put before it.
    """
    lines = [*(f"# {comment}" for comment in comments), *([""] if comments else [])]
    lines.append(f"FROM {modelfile.from_[0]}")
    lines += [f"ADAPTER {path}" for path in modelfile.adapters]
    if modelfile.draft:
        lines.append(f"DRAFT {modelfile.draft}")
    lines += [f"FROM {path}" for path in modelfile.from_[1:]]
    if modelfile.template is not None:
        lines.append(f"TEMPLATE {_quoted(modelfile.template)}")
    if modelfile.system is not None:
        lines.append(f"SYSTEM {_quoted(modelfile.system)}")
    words = {"RENDERER": modelfile.renderer, "PARSER": modelfile.parser, "REQUIRES": modelfile.requires}
    lines += [f"{keyword} {word}" for keyword, word in words.items() if word]
    for name, value in parameter_lines(modelfile.parameters):
        lines.append(f"PARAMETER {name} {_quoted(parameter_text(value))}")
    lines += [f"LICENSE {_quoted(text)}" for text in modelfile.licenses]
    lines += [f"MESSAGE {message.role} {_quoted(message.content)}" for message in modelfile.messages]
    return "\n".join(lines) + "\n"


def _instructions(text: str) -> Iterator[tuple[str, str, str]]:
    """Each keyword in lower case, the first word of a PARAMETER or MESSAGE, and the value."""
    text = "".join(letter for letter in text if letter.isprintable() or letter in _BLANKS + _LINE_ENDS)
    at = _end(_GAP, text, 0)
    while at < len(text):
        end = _end(_KEYWORD, text, at)
        keyword = text[at:end].lower()
        if end == len(text):
            raise RequestError("unexpected EOF")
        if keyword not in _KEYWORDS or text[end] not in _BLANKS:
            raise _error(text, end, _UNKNOWN_KEYWORD)
        word, at = "", end + 1
        if keyword in _FIRST_WORDS:
            end = _end(_FIRST_WORDS[keyword], text, at)
            word = text[at:end]
            if end == len(text):
                raise RequestError("unexpected EOF")
            if text[end] not in _BLANKS:
                line = _line(text, end - 1)
                raise RequestError(f"unexpected EOF: {word} (line {line}: {keyword.upper()} {_SHAPES[keyword]})")
            if keyword == "message" and word not in _ROLES:
                raise _error(text, end, _WRONG_ROLE)
            at = end + 1
        value, at = _value(text, at)
        yield keyword, word, value
        at = _end(_GAP, text, at)


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins at `at`, without its quotes, and where it ends."""
    start = _end(_BLANK_RUN, text, at)
    quote = next((quote for quote in _QUOTES if text.startswith(quote, start)), "")
    end = _end(_REST_OF_LINE, text, start)
    if not quote:
        return text[start:end].rstrip(), end
    while True:
        last = end
        while last > start and text[last - 1] in _BLANKS:
            last -= 1
        if last - start >= 2 * len(quote) and text.endswith(quote, start, last):
            return text[start + len(quote) : last - len(quote)], end
        if end == len(text):
            raise RequestError("unexpected EOF")
        end = _end(_REST_OF_LINE, text, end + 1)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where the pattern, which matches anywhere, stops matching."""
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _error(text: str, at: int, message: str) -> RequestError:
    """`at` is the character that gave it away; a line end counts as read, as Ollama counts (contract 11.2)."""
    return RequestError(f"(line {_line(text, at)}): {message}")


def _line(text: str, at: int) -> int:
    return 1 + sum(text.count(end, 0, at + 1) for end in _LINE_ENDS)


def _version(text: str) -> str:
    version = text.removeprefix("v")
    if not _VERSION.fullmatch(version):
        raise RequestError(_WRONG_VERSION)
    return version


def _quoted(text: str) -> str:
    """A value as `parse` reads it back: quoted if a line of it or its blanks would be lost."""
    plain = text == text.strip() and not any(end in text for end in _LINE_ENDS) and not text.startswith('"')
    if plain:
        return text
    quote = '"""' if '"' in text else '"'
    return f"{quote}{text}{quote}"
