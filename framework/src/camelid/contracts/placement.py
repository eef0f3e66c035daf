"""Where a worker runs: on this machine as a child process, in this process, or somewhere else."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import msgspec

from camelid.types.artifact import ModelArtifact
from camelid.types.conversion import ConversionTask
from camelid.types.loading import LoadOptions

__all__ = ("Connection", "ConversionSpec", "Placement", "WorkerPreparation", "WorkerSpec")


class WorkerSpec(msgspec.Struct, frozen=True):
    """What a worker shall load and serve."""

    backend: str
    """Name in the backend's descriptor."""
    plugin: str
    """Entry-point name of the plugin that registered it."""
    artifact: ModelArtifact
    options: LoadOptions
    tokenizers: tuple[str, ...] = ()
    """Entry-point names of plugins that tokenize for backends that do not; the worker imports them, too."""

    @property
    def name(self) -> str:
        """How people call the model, for logs."""
        return self.artifact.name


class ConversionSpec(msgspec.Struct, frozen=True):
    """What a worker shall convert, and nothing else in its life."""

    plugin: str
    """Entry-point name of the plugin that registered the converter: the only one the worker imports."""
    task: ConversionTask

    @property
    def name(self) -> str:
        """The converter's, for logs."""
        return self.task.converter


class WorkerPreparation(msgspec.Struct, frozen=True):
    """What the next worker will probably be for."""

    plugin: str
    """Entry-point name: the preparation is good for models of this plugin only."""
    modules: tuple[str, ...]
    """To import, as the backend's descriptor names them."""


class Connection(Protocol):
    """A running worker as the server sees it: frames go in, frames come out, and one day it ends."""

    @property
    def pid(self) -> int:
        """Process id; 0 if the worker has no process of its own."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue one frame (without its length prefix) to the worker. Never blocks; after the end it is dropped."""
        ...

    def kill(self) -> None:
        """End the worker at once. Its end is reported as any other."""
        ...


class Placement(ABC):
    """Starts workers. Registered through `camelid_placements`; runs on the server's event loop."""

    @property
    @abstractmethod
    def name(self) -> str:
        """`process`, `in-process`…: the value of the setting `placement`."""

    def prepare(self, preparation: WorkerPreparation) -> None:  # noqa: B027 - few placements can
        """Have a worker wait that has imported its runtime, for `start` to use. Returns at once; a placement that
        cannot do that does nothing, and one that fails to says nothing: `start` is as good without.
        """

    async def close(self) -> None:  # noqa: B027 - as above
        """End what was prepared and not used. Called once, when the server ends."""

    @abstractmethod
    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        """Start a worker. The server then sends it what `spec` says, as its first frame.

        Args:
            spec: what the worker is for; what it names must be within its reach.
            on_frame: called on the event loop with each frame from the worker, in order.
            on_end: called once on the event loop after the last frame, with why it ended: exit status or signal,
                and the last lines it wrote to standard error.

        Raises:
            WorkerError: it could not be started.
        """
