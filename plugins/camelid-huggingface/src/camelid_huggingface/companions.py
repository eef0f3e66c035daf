"""The small layers of a model: what lies beside its weights."""

import logging
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from camelid.contracts.registry import BlobSource, LayerSource
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo

__all__ = ("LIMIT", "companions")

LIMIT: Final = 1 << 20
"""Bytes of such a file."""

_TEMPLATE: Final = "application/vnd.ollama.image.template"
_SYSTEM: Final = "application/vnd.ollama.image.system"
_PARAMS: Final = "application/vnd.ollama.image.params"
_LICENSE: Final = "application/vnd.ollama.image.license"
_LICENSE_FILES: Final = ("license", "license.txt", "license.md", "licence", "licence.txt", "licence.md", "copying")

_log = logging.getLogger(__name__)


def companions(info: RepositoryInfo, read: Callable[[RepositoryFile], bytes]) -> Iterator[LayerSource]:
    """The files `template`, `system` and `params`, which the Hub hands to Ollama too, and the license.

    A file that is not what it should be is left out, with a line in the log: who pulls a model cannot mend it.

    Args:
        info: of the repository.
        read: gives a small file's content.
    """
    for name, media_type, check in (
        ("template", _TEMPLATE, _is_text),
        ("system", _SYSTEM, _is_text),
        ("params", _PARAMS, _is_object),
    ):
        file = info.find(name)
        if file is None:
            continue
        content = read(file)
        if check(content):
            yield _layer(media_type, content)
        else:
            _log.warning("the file %r of a repository is left out: it is not what it should be", name)
    yield from _license(info, read)


def _license(info: RepositoryInfo, read: Callable[[RepositoryFile], bytes]) -> Iterator[LayerSource]:
    """The text if the repository has it, else what its README says."""
    file = info.find(*_LICENSE_FILES)
    content = read(file) if file is not None and file.bytes <= LIMIT else info.license.encode()
    if content and _is_text(content):
        yield _layer(_LICENSE, content)


def _layer(media_type: str, content: bytes) -> LayerSource:
    return LayerSource(media_type, BlobSource(digest="", size=len(content), content=content))


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_object(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
