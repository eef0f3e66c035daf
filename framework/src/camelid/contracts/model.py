"""Role one: a loaded model."""

from abc import ABC, abstractmethod

from camelid.types.facts import ModelFacts
from camelid.types.memory import MemoryUse
from camelid.types.vocabulary import Vocabulary

__all__ = ("LoadedModel",)


class LoadedModel(ABC):
    """Weights in memory. Lives in a worker, on the engine thread only; `camelid_load_model` returns it."""

    @property
    @abstractmethod
    def facts(self) -> ModelFacts:
        """The truth after loading."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """For plugins that tokenize for others, of a file that only this backend can read; None where GGUF metadata or
        a `tokenizer.json` says it.
        """
        return None

    @abstractmethod
    def memory(self) -> tuple[MemoryUse, ...]:
        """Bytes by device, as they are now."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back. Called once, after everything built on this model was closed."""
