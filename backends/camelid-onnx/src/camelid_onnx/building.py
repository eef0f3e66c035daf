"""Making ONNX models of safetensors, with the model builder that comes with onnxruntime-genai (as of 0.18)."""

import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import TextIOBase
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final, TypeVar

import msgspec

from camelid import Converter
from camelid.contracts.converter import ReportProgress
from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid.types.conversion import ConversionTask
from camelid_onnx.precisions import PRECISIONS

__all__ = ("OnnxBuilder",)

Content = TypeVar("Content", bound=msgspec.Struct)

_SUFFIXES: Final = frozenset({".safetensors", ".json", ".jinja"})
_TOKENIZER: Final = "tokenizer.model"
_ADAPTER: Final = "adapter_config.json"
_INDEX: Final = ".index.json"
_LAYER: Final = re.compile(r"Reading layer (\d+)")
_OPTIONS: Final = ("hf_token=false", "hf_remote=false")
"""No token leaves this machine, and no code that lies beside a model runs."""


class _Config(msgspec.Struct):
    architectures: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    num_hidden_layers: int = 0
    transformers_weights: str | None = None
    """A file in place of those that have the usual names."""


class _Index(msgspec.Struct):
    weight_map: dict[str, str] = {}
    """The file that each tensor is in."""


class OnnxBuilder(Converter):
    """Runs the model builder for a CPU, the provider that is everywhere."""

    def __init__(self, builder: ModuleType) -> None:
        """Take the builder's module."""
        self._builder = builder

    def convert(self, task: ConversionTask, report: ReportProgress) -> None:
        """Write the folder of a model; without a quantization its numbers have 32 bits.

        Progress is told in layers, as the builder reads them.

        Raises:
            UnsupportedCapabilityError: an architecture that the builder does not know.
            InvalidModelFileError: the source is damaged, or has files that might be read as code.
        """
        config = _checked(Path(task.folder))
        target = Path(task.target)
        precision = PRECISIONS[task.quantization or "F32"]
        # No name on the Hub: everything is in the folder.
        where = ("", task.folder, task.target, precision, "cpu", str(target.with_name("cache")))
        try:
            with redirect_stdout(_Said(report, config.num_hidden_layers)):
                options = self._builder.parse_extra_options(*where, list(_OPTIONS))
                self._builder.create_model(*where, **options)
        except NotImplementedError as error:
            raise UnsupportedCapabilityError(
                f"the model builder does not know the architecture {config.architectures[0][:200]!r}",
                reason=str(error),
            ) from error
        except ValueError as error:
            raise InvalidModelFileError(
                "the model builder cannot read this model, see the log", reason=str(error)
            ) from error


class _Said(TextIOBase):
    """Takes what the builder prints, and tells how many layers it has read."""

    def __init__(self, report: ReportProgress, layers: int) -> None:
        self._report = report
        self._layers = layers

    def write(self, text: str) -> int:
        if (layer := _LAYER.match(text)) is not None:
            read = int(layer[1]) + 1
            self._report(read, max(self._layers, read) + 1)  # the last part is writing
        return len(text)


def _checked(folder: Path) -> _Config:
    """What the config says, of a folder with nothing in it but weights, JSON, a chat template and a tokenizer.

    Libraries that the builder calls would unpickle weights of other kinds, follow an adapter to its base, and open any
    path that an index names.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name, path in files.items():
        if path.name == _ADAPTER or not (path.name == _TOKENIZER or path.suffix in _SUFFIXES):
            raise InvalidModelFileError(f"{name[:200]!r} is no part of a model in safetensors: leave it out")
        if name.endswith(_INDEX):
            for other in set(_read(files, name, _Index).weight_map.values()) - set(files):
                raise InvalidModelFileError(f"{name[:200]!r} names {other[:200]!r}, which is not in the folder")
    config = _read(files, "config.json", _Config)
    if config.transformers_weights is not None:
        raise InvalidModelFileError("config.json names a file of weights: leave out transformers_weights")
    return config


def _read(files: Mapping[str, Path], name: str, kind: type[Content]) -> Content:
    if name not in files:
        raise InvalidModelFileError(f"{name} is missing")
    try:
        return msgspec.json.decode(files[name].read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidModelFileError(f"{name[:200]} is not what it should be", reason=str(error)) from error
