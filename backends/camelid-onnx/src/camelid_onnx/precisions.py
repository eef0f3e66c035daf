"""The element types that the model builder writes for a CPU, and what it calls them."""

from collections.abc import Mapping
from typing import Final

__all__ = ("PRECISIONS",)

PRECISIONS: Final[Mapping[str, str]] = {"F32": "fp32", "INT8": "int8", "INT4": "int4"}
"""The first keeps every number, since most sources have 16 bits."""
