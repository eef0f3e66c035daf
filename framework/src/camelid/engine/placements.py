"""The framework's own placements, as a plugin like any other."""

from collections.abc import Callable

from camelid.contracts.placement import Placement
from camelid.engine.inprocess import InProcessPlacement
from camelid.engine.process import ProcessPlacement
from camelid.hookspecs import hookimpl

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_placements(register: Callable[[Placement], None]) -> None:
    """Register `process` and `in-process`."""
    register(ProcessPlacement())
    register(InProcessPlacement())
