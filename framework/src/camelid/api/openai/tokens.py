"""Token ids in requests, where a text could stand, too."""

from typing import Final

from camelid.types.json import JsonValue

__all__ = ("Given", "read_given")

Given = str | tuple[int, ...]
"""A text, or token ids."""

_MOST_TOKENS: Final = 2**31


def read_given(value: JsonValue) -> tuple[Given, ...] | None:
    """Texts or token ids, one or several of them; None if it is something else."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        return None
    alone = _ids(value)
    if alone:
        return (alone,)
    given: list[Given] = []
    for item in value:
        each = item if isinstance(item, str) else _ids(item)
        if each is None:
            return None
        given.append(each)
    return tuple(given)


def _ids(value: JsonValue) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    ids = tuple(item for item in value if type(item) is int and 0 <= item < _MOST_TOKENS)
    return ids if len(ids) == len(value) else None
