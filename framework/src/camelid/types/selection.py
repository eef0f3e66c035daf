"""A model that a backend is sought for."""

import msgspec

from camelid.types.capabilities import Capability

__all__ = ("ModelToLoad",)


class ModelToLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model before it is loaded."""

    name: str
    """As people call it."""
    format: str
    """Its `ModelArtifact.format`."""
    capabilities: frozenset[Capability] = frozenset()
    """What its backend should be able to do, so that all of the model can be used."""
