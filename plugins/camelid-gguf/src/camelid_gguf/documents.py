"""JSON documents that strangers wrote, read value by value."""

import json
import math
import re
from collections.abc import Mapping

from camelid.errors import InvalidModelFileError

__all__ = ("LARGEST", "MOST", "Document", "parse_object")

MOST = 1 << 24
"""No count in a model's configuration is larger."""

LARGEST = 3.4e38
"""No number is larger, so that each can be written with 32 bits."""


_ESCAPE = re.compile(rb"\\u[dD]")


def parse_object(text: bytes) -> dict[str, object]:
    """The object that JSON text holds. NaN and Infinity are read, since Python writes them.

    Raises:
        ValueError: it is no JSON, no object, or has half a character in a text.
    """
    try:
        values = json.loads(text)
        # An escape may stand for half a character, which neither a GGUF file nor an error message can hold.
        if _ESCAPE.search(text):
            json.dumps(values, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if not isinstance(values, dict):
        raise ValueError("it is something else")  # noqa: TRY004 - one error for all that is wrong with a text
    return values


class Document:
    """An object of a JSON file. What is null counts as absent; what has the wrong type is an error with its name."""

    def __init__(self, name: str, values: Mapping[str, object]) -> None:
        self.name = name
        self.values = values

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def count(self, key: str, default: int | None = None, *, least: int = 1, most: int = MOST) -> int:
        """A whole number.

        Args:
            key: of the value.
            default: taken if there is none; None = there must be one.
            least: the smallest allowed.
            most: the largest allowed.

        Raises:
            InvalidModelFileError: there is none, or it is no such number.
        """
        value = self.values.get(key)
        if value is None:
            value = default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number.

        Raises:
            InvalidModelFileError: there is none and no default, or it is no number.
        """
        value = self.values.get(key)
        if value is None:
            value = default
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(key, "a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not abs(number) <= LARGEST:
            raise self._wrong(key, "a number that fits 32 bits")
        return number

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false.

        Raises:
            InvalidModelFileError: it is something else.
        """
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def text(self, key: str, default: str = "") -> str:
        """A string.

        Raises:
            InvalidModelFileError: it is something else.
        """
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def section(self, key: str) -> "Document":
        """The object at `key`; an empty one if there is none.

        Raises:
            InvalidModelFileError: it is something else.
        """
        value = self.values.get(key)
        if value is None:
            return Document(f"{self.name}: {key}", {})
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Document(f"{self.name}: {key}", value)

    def items(self, key: str) -> list[object]:
        """The list at `key`; an empty one if there is none.

        Raises:
            InvalidModelFileError: it is something else.
        """
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def sections(self, key: str) -> list["Document"]:
        """The objects in the list at `key`.

        Raises:
            InvalidModelFileError: it is no list of objects.
        """
        found = []
        for number, value in enumerate(self.items(key)):
            if not isinstance(value, dict):
                raise self._wrong(key, "a list of objects")
            found.append(Document(f"{self.name}: {key}[{number}]", value))
        return found

    def texts(self, key: str) -> list[str]:
        """The strings in the list at `key`.

        Raises:
            InvalidModelFileError: it is no list of strings.
        """
        found = []
        for value in self.items(key):
            if not isinstance(value, str):
                raise self._wrong(key, "a list of strings")
            found.append(value)
        return found

    def numbers(self, key: str) -> list[float]:
        """The finite numbers in the list at `key`.

        Raises:
            InvalidModelFileError: it is no list of numbers.
        """
        holder = Document(self.name, {str(index): value for index, value in enumerate(self.items(key))})
        return [holder.number(index) for index in holder.values]

    def over(self, below: "Document") -> "Document":
        """These values, and those of `below` where there are none."""
        return Document(self.name, {**below.values, **{k: v for k, v in self.values.items() if v is not None}})

    def _wrong(self, key: str, wanted: str) -> InvalidModelFileError:
        if self.values.get(key) is None:
            return InvalidModelFileError(f'{self.name} has no "{key[:80]}"', reason=f"it must be {wanted}")
        return InvalidModelFileError(f'{self.name}: "{key[:80]}" must be {wanted}')
