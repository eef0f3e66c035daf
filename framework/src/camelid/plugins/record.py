"""What became of one plugin."""

from enum import StrEnum

import msgspec

from camelid.plugins.proofs import Proofs, Standing
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor

__all__ = ("BackendRecord", "PluginRecord", "PluginStatus")


class PluginStatus(StrEnum):
    """Whether a plugin is in use."""

    LOADED = "loaded"
    DISABLED = "disabled"
    """The settings left it out; it was not imported."""
    BROKEN = "broken"
    """It could not be used; the record's reason says why and what to do."""


class BackendRecord(msgspec.Struct, frozen=True):
    """A backend that a plugin registered, as people see it."""

    name: str
    formats: tuple[str, ...]
    capabilities: tuple[str, ...]
    description: str = ""
    standing: Standing | None = None
    """What the conformance kit found of it on this machine; None if it was never run, or nobody looked."""

    @classmethod
    def of(cls, backend: BackendDescriptor) -> "BackendRecord":
        """What its descriptor says."""
        return cls(
            backend.name, tuple(sorted(backend.formats)), tuple(sorted(backend.capabilities)), backend.description
        )


class PluginRecord(msgspec.Struct, frozen=True):
    """One row of `camelid plugins`."""

    name: str
    """Of the entry point; settings and workers name plugins by it."""
    distribution: str
    """What a person would install, upgrade or remove."""
    version: str
    module: str
    status: PluginStatus
    reason: str = ""
    """Why it is not loaded, in words a person can act on."""
    hooks: tuple[str, ...] = ()
    backends: tuple[BackendRecord, ...] = ()
    """The backends it registered."""
    registries: tuple[str, ...] = ()
    """Names of the registries it registered."""
    converters: tuple[str, ...] = ()
    """Names of the converters it registered."""
    answer_formats: tuple[str, ...] = ()
    """Names of the answer formats it registered."""
    routes: tuple[str, ...] = ()
    """Paths of the routes it registered; they are off unless the setting `routes` names the plugin."""
    commands: tuple[str, ...] = ()
    """Names of the commands it adds to `camelid`."""

    def with_standings(self, proofs: Proofs) -> "PluginRecord":
        """The same, with what is proven of its backends."""

        def look_up(backend: BackendRecord) -> BackendRecord:
            declared = map(Capability, backend.capabilities)
            standing = proofs.standing(backend.name, self.distribution, declared)
            return msgspec.structs.replace(backend, standing=standing)

        return msgspec.structs.replace(self, backends=tuple(map(look_up, self.backends)))
