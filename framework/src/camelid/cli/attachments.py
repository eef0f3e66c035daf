"""Pictures and sounds whose paths stand in a prompt (contract 19.5)."""

import os.path
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click

from camelid.cli.messages import ShownModel
from camelid.errors import RequestError

__all__ = ("Attached", "attach", "begins_with_file")

_LIMIT: Final = 100_000_000
"""Bytes of one file."""
_LONGEST: Final = 4096
"""Characters of a path."""
_WORDS: Final = 32
"""Blanks and other beginnings of words that a path may have, quotes apart."""

_KINDS: Final = {"jpg": "vision", "jpeg": "vision", "png": "vision", "webp": "vision", "wav": "audio"}
"""By ending: what a model must be capable of."""
_END: Final = re.compile(rf"\.({'|'.join(_KINDS)})(?!\w|[./\\]\w)", re.IGNORECASE)
_WORD: Final = re.compile(r"(?<![^\s\"'(\[{<=:,])\S")
_ESCAPED: Final = re.compile(r"\\([^\w/])")
_SEPARATORS: Final = ("/", "\\")

_SIGNATURES: Final = {
    "vision": re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF.{4}WEBP", re.DOTALL),
    "audio": re.compile(rb"RIFF.{4}WAVE", re.DOTALL),
}


class Attached(NamedTuple):
    """A prompt in two parts."""

    text: str
    """Without the paths of the files."""
    files: tuple[bytes, ...]
    """Their contents, in the order of the paths."""


class _Found(NamedTuple):
    start: int
    end: int
    """Of what is taken out of the text."""
    path: str


def attach(text: str, model: ShownModel) -> Attached:
    r"""Read the files that a prompt names and the model can look at or listen to, and say so on stderr.

    A path has a separator in it, so `cat.png` alone is a word like any other. It may be quoted, may begin with `~`,
    may have blanks, with a backslash before them or without, and may be one of Windows (`C:\cats\my cat.png`). What is
    not there stays in the text, as does everything if the model knows text only.

    Raises:
        RequestError: a file cannot be read, has more than 100 MB, or is not what its name says.
    """
    rest: list[str] = []
    files: list[bytes] = []
    position = 0
    for match in _END.finditer(text):
        kind = _KINDS[match[1].lower()]
        found = _find(text, position, match.end()) if model.can(kind) else None
        if found is None:
            continue
        files.append(_read(found.path, kind))
        click.echo(f"Added image '{found.path}'", err=True)
        rest.append(text[position : found.start])
        position = found.end
    return Attached("".join((*rest, text[position:])).strip() if files else text, tuple(files))


def begins_with_file(text: str, model: ShownModel) -> bool:
    """Whether the first thing in a prompt is a file that `attach` reads: what begins with a slash may be no command."""
    for match in _END.finditer(text):
        if model.can(_KINDS[match[1].lower()]):
            found = _find(text, 0, match.end())
            return found is not None and found.start == 0
    return False


def _find(text: str, begin: int, end: int) -> _Found | None:
    """The longest file name that ends at `end` and begins at `begin` or later, in the same line."""
    begin = max(begin, end - _LONGEST, text.rfind("\n", begin, end) + 1)
    for start, stop, written in _candidates(text, begin, end):
        for path in (written, _ESCAPED.sub(r"\1", written)):
            if any(separator in path for separator in _SEPARATORS) and _is_file(path):
                return _Found(start, stop, path)
    return None


def _candidates(text: str, begin: int, end: int) -> Iterator[_Found]:
    quote = text[end : end + 1]
    if quote and quote in "\"'":
        opening = text.rfind(quote, begin, end)
        if opening >= 0:
            yield _Found(opening, end + 1, text[opening + 1 : end])
    for word in [*_WORD.finditer(text, begin, end)][-_WORDS:]:
        yield _Found(word.start(), end, text[word.start() : end])


def _is_file(path: str) -> bool:
    # Unlike pathlib's, these take any text: what is too long, or no path at all, is no file.
    return os.path.isfile(os.path.expanduser(path))  # noqa: PTH111, PTH113


def _read(written: str, kind: str) -> bytes:
    path = Path(written).expanduser()
    try:
        size = path.stat().st_size
        if size > _LIMIT:
            raise RequestError(f"'{written}' has {size} bytes; a file of a prompt may have {_LIMIT}")
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read '{written}': {error.strerror}", reason=str(error)) from error
    if not _SIGNATURES[kind].match(content):
        what = "PNG, JPEG or WebP image" if kind == "vision" else "WAV file"
        raise RequestError(f"'{written}' is no {what}, although its name says so")
    return content
