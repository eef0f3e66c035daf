"""The type of a request in every handler."""

from typing import TypeAlias

from litestar import Request
from litestar.datastructures import State

__all__ = ("ApiRequest",)

ApiRequest: TypeAlias = Request[object, object, State]
