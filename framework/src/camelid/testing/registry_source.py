"""What a registry's author hands to the kit, and what the kit does with it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import msgspec

from camelid.contracts.registry import Registry
from camelid.services.progress import Progress
from camelid.services.pull import Pull
from camelid.services.push import Push
from camelid.services.registries import Registries
from camelid.store.leases import FOLDER
from camelid.store.store import Store
from camelid.store.transfer import Transfers
from camelid.store.transfer_policy import TransferPolicy
from camelid.testing.loopback import LoopbackServer, Request
from camelid.types.names import ModelName

__all__ = ("SEGMENT", "Client", "ModelSource", "RegistrySource")

SEGMENT: Final = 300_000
"""Bytes of a file that are asked for at once."""

_HASTY: Final = TransferPolicy(streams=4, segment=SEGMENT, tries=6, pause=0.001, stall=0.5)
"""The engine's rules with small ranges and little patience, so that every fault is met and none takes long. One range
alone may meet all faults that are to pass, and survives them."""


class ModelSource(ABC):
    """A registry, and models to find there."""

    refused = ""
    """What the last case wanted and the registry does not do, and said so."""

    @abstractmethod
    def make_registry(self) -> Registry:
        """The plugin's registry, as a server would that has just started."""

    @abstractmethod
    def publish(self, model: str, weights: bytes) -> ModelName:
        """Let the registry have a model made of one GGUF file.

        Args:
            model: a short name, `small` for example.
            weights: the file.

        Returns:
            The name under which Camelid is to ask for it. Plain http is allowed.
        """

    def unknown(self, name: ModelName) -> ModelName:
        """A name like that one, of a model that the registry does not have."""
        return msgspec.structs.replace(name, model="unknown")

    @property
    def requests(self) -> Sequence[Request]:
        """What other machines were asked."""
        return ()

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Close the connections of the registries that were made."""


class RegistrySource(ModelSource):
    """A registry, and a server of its protocol on a loopback port, which has the models."""

    server: LoopbackServer
    """Has no fault until one is injected."""

    @property
    def requests(self) -> Sequence[Request]:
        """All that the server was asked."""
        return self.server.requests

    def make_mirror(self) -> LoopbackServer | None:
        """Another host that has the same files under the same paths, for redirects; None if there is no such thing."""
        return None


class Client:
    """A Camelid with one registry and a store of its own."""

    def __init__(self, source: ModelSource, models: Path) -> None:
        self.store = Store(models)
        self.transfers = Transfers(self.store.blobs, _HASTY)
        registries = Registries([source.make_registry()])
        self._pull = Pull(self.store, registries, self.transfers)
        self._push = Push(self.store, registries, self.transfers)

    def pull(self, *names: ModelName) -> list[Progress]:
        """Pull models, all at once; the lines of all."""

        async def one(name: ModelName) -> list[Progress]:
            return [line async for line in self._pull(name, insecure=True)]

        async def everything() -> Sequence[list[Progress]]:
            return await asyncio.gather(*map(one, names))

        return [line for lines in asyncio.run(everything()) for line in lines]

    def leave(self, name: ModelName, when: Callable[[Progress], bool]) -> None:
        """Begin to pull a model, and leave at the first line for which `when` says so."""

        async def begin() -> None:
            async with aclosing(self._pull(name, insecure=True)) as lines:
                async for line in lines:
                    if when(line):
                        return

        asyncio.run(begin())
        self.transfers.settle()

    def push(self, name: ModelName) -> list[Progress]:
        """Push a model; its lines."""

        async def everything() -> list[Progress]:
            return [line async for line in self._push(name, insecure=True)]

        return asyncio.run(everything())

    def remains(self) -> list[str]:
        """Files that are no blobs."""
        names = (path.name for path in self.store.blobs.folder.iterdir())
        return sorted(name for name in names if not name.startswith(("sha256-", FOLDER)))
