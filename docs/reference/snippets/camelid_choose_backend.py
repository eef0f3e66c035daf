"""Models whose names begin with `tiny` go to the backend with the fewest abilities: it mostly is the lightest one."""

from collections.abc import Sequence

from camelid import hookimpl
from camelid.types import BackendDescriptor
from camelid.types.selection import ModelToLoad

CAMELID_API = 1


@hookimpl
def camelid_choose_backend(model: ModelToLoad, candidates: Sequence[BackendDescriptor]) -> str | None:
    """`camelid ps` shows that this plugin chose; None leaves the choice to others."""
    able = [candidate for candidate in candidates if model.capabilities <= candidate.capabilities]
    if not model.name.startswith("tiny") or not able:
        return None
    return min(able, key=lambda candidate: len(candidate.capabilities)).name
