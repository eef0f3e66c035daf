"""The two converters."""

import errno

from camelid.contracts.converter import Converter, ReportProgress
from camelid.errors import DiskFullError
from camelid.types.artifact import FileRole
from camelid.types.conversion import ConversionTask
from camelid_gguf.adapter import convert_adapter
from camelid_gguf.merge import merge_files
from camelid_gguf.model import convert_model

__all__ = ("MergePieces", "SafetensorsToGguf")


class SafetensorsToGguf(Converter):
    """Makes GGUF of a Hugging Face model, or of a LoRA adapter in PEFT's layout."""

    def convert(self, task: ConversionTask, report: ReportProgress) -> None:
        """Write `task.target`; see the contract."""
        with _FullDisk():
            (convert_adapter if task.role is FileRole.ADAPTER else convert_model)(task, report)


class MergePieces(Converter):
    """Makes one GGUF file of several pieces."""

    def convert(self, task: ConversionTask, report: ReportProgress) -> None:
        """Write `task.target`; see the contract."""
        with _FullDisk():
            merge_files(task, report)


class _FullDisk:
    """Turns the system's word for a full disk into ours."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError("the disk has no room for the converted model", reason=str(error)) from error
