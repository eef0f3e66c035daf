"""The plugin's hook. Importing this loads nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from camelid import hookimpl

if TYPE_CHECKING:
    from camelid import Registry

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_registries(register: Callable[[Registry], None]) -> None:
    """Register the web."""
    from camelid_web.registry import WebFiles

    register(WebFiles())
