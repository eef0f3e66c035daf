"""Converting models: from files of one format to files of another."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from camelid.types.conversion import ConversionTask

__all__ = ("Converter", "ReportProgress")

ReportProgress: TypeAlias = Callable[[int, int], None]
"""Takes how much is done and how much there is to do, in bytes of the result or any other unit that grows evenly."""


class Converter(ABC):
    """Converts one model in a process of its own, which ends afterwards. `camelid_converter` returns it."""

    @abstractmethod
    def convert(self, task: ConversionTask, report: ReportProgress) -> None:
        """Write `task.target`, a file or a folder as the descriptor's target format has it.

        Args:
            task: what to convert.
            report: to be called now and then, in any case whenever ten minutes have brought something new: a conversion
                without news is ended. Cheap. It raises when nobody wants the outcome any more: let that pass.

        Raises:
            UnsupportedCapabilityError: a model of an architecture, or a quantization, that it does not know.
            InvalidModelFileError: the source is damaged, or files are missing from it.
        """
