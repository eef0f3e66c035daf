"""GGUF models in several pieces: which files belong together, and whether all are there (contract 15.2)."""

import re
from collections.abc import Mapping
from typing import Final

from camelid.errors import RequestError
from camelid.store.gguf import GGUFHeader

__all__ = ("group_pieces", "is_piece")

_NAME: Final = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)


def is_piece(header: GGUFHeader) -> bool:
    """Whether a file says that it is one of several."""
    return (header.integer("split.count") or 1) > 1


def group_pieces(pieces: Mapping[str, GGUFHeader]) -> list[list[str]]:
    """The names of each model's pieces, in their order.

    Args:
        pieces: files that are pieces, by name.

    Raises:
        RequestError: a piece is missing, or a name does not agree with what is in the file; with Ollama's words.
    """
    groups: dict[tuple[str, int], dict[int, str]] = {}
    for name, header in pieces.items():
        prefix, place, count = _place(name, header)
        groups.setdefault((prefix, count), {})[place] = name
    for (_, count), found in groups.items():
        if len(found) != count:
            raise RequestError(f'split GGUF "{found[min(found)]}" has {len(found)} shards, expected {count}')
    return [[found[place] for place in sorted(found)] for found in groups.values()]


def _place(name: str, header: GGUFHeader) -> tuple[str, int, int]:
    """What a piece's name begins with, which piece it is, counted from 1, and how many there are."""
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise RequestError(f'split GGUF "{name}" must use llama.cpp split filename pattern')
    place, count = int(matched[2]), int(matched[3])
    stated = header.integer("split.count")
    if count != stated:
        raise RequestError(f'split GGUF "{name}" filename count {count} does not match metadata count {stated}')
    number = header.integer("split.no")
    if number is None:
        raise RequestError(f'split GGUF "{name}" is missing split.no metadata')
    if place != number + 1 or place > count:
        raise RequestError(f'split GGUF "{name}" filename index {place} does not match metadata index {number + 1}')
    return matched[1], place, count
