"""How one sequence chooses its next token."""

from abc import ABC, abstractmethod

__all__ = ("Sampler",)


class Sampler(ABC):
    """The choosing state of one sequence: its random generator and the tokens its penalties look back on.

    A backend may bring one that runs natively (`BatchDecoder.sampler`); else the framework samples from logits.
    """

    @abstractmethod
    def sample(self, row: int) -> int:
        """Choose a token from the output row `row` of the last decoded batch, and accept it."""

    def close(self) -> None:  # noqa: B027 - most samplers own nothing
        """Give native memory back. Called once."""
