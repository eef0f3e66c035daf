"""A converter at work: of safetensors it keeps how many tensors there are, the step that a counting model counts by."""

from pathlib import Path

import msgspec

from camelid import Converter, hookimpl
from camelid.contracts.converter import ReportProgress
from camelid.errors import InvalidModelFileError
from camelid.types.conversion import ConversionTask

CAMELID_API = 1
LONGEST_HEADER = 100_000_000


class TensorCounter(Converter):
    def convert(self, task: ConversionTask, report: ReportProgress) -> None:
        sources = sorted(Path(task.folder).glob("*.safetensors"))
        count = 0
        for done, source in enumerate(sources, start=1):
            count += _tensors(source)
            report(done, len(sources))
        Path(task.target).write_text(f"{count}\n", encoding="utf-8")


def _tensors(path: Path) -> int:
    """How many tensors the header of a file names: eight bytes of length, then JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, LONGEST_HEADER))
    try:
        names = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise InvalidModelFileError(f"{path.name} is no safetensors file", reason=str(error)) from error
    return len(names.keys() - {"__metadata__"})


@hookimpl
def camelid_converter(name: str) -> Converter | None:
    """Called in a process of its own, which ends after one conversion: import here what is heavy."""
    return TensorCounter() if name == "safetensors-to-counting" else None
