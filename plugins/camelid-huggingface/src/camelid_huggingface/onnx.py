"""Which files of a repository make an ONNX model: a folder that says how to generate, or an encoder."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from camelid.errors import RegistryError
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo

__all__ = ("OnnxModel", "find_onnx")

_GENAI_CONFIG: Final = "genai_config.json"
_TOKENIZER: Final = "tokenizer.json"
_ENCODERS: Final = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")
"""In the order of preference."""
_COMPANION: Final = re.compile(r"([^/]+/)?[^/]+\.json|chat_template\.jinja|tokenizer\.model")
_LEFT_OUT: Final = re.compile(r"\..*|.*\.(md|png|jpe?g|gif|svg|pdf|py|ipynb)|licen[sc]e(\..*)?", re.IGNORECASE)
"""Files in a folder that no runtime reads."""


class OnnxModel(msgspec.Struct, frozen=True):
    """The files of one model."""

    tag: str
    """What it can be called by; empty for the only one."""
    files: dict[str, RepositoryFile]
    """By the names that they have to the runtime, relative and with slashes."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.bytes for file in self.files.values())


def find_onnx(info: RepositoryInfo, tag: str) -> OnnxModel | None:
    """The ONNX model that a tag means; None if the repository has none.

    Args:
        info: of the repository.
        tag: words of the folder, or of the file; case does not matter. `latest` is the one for the CPU, of several in
            four bits, of several the smallest; of encoders the one called `model`.

    Raises:
        RegistryError: there are some, but not that one, or its tokenizer is missing.
    """
    files = [file for file in info.files if file.is_inside and ":" not in file.path]
    models = _generating(files) or ([] if info.pipeline_tag == "text-generation" else _encoders(files))
    if not models:
        return None
    if tag.lower() == "latest":
        chosen: OnnxModel | None = models[0]
    else:
        wanted = re.compile(rf"(?<![a-z0-9]){re.escape(tag.lower())}(?![a-z0-9])")
        chosen = next((model for model in models if wanted.search(model.tag.lower())), None)
    if chosen is None:
        known = ", ".join(model.tag.replace("/", " ") or "only latest" for model in models)
        raise RegistryError(f"the repository has no {tag}; it has {known}")
    if _TOKENIZER not in chosen.files:
        raise RegistryError(f"the repository has no {_TOKENIZER} beside its ONNX model: it cannot be used")
    return chosen


def _generating(files: Iterable[RepositoryFile]) -> list[OnnxModel]:
    """The folders for ONNX Runtime GenAI, the default first."""
    files = list(files)
    found = []
    for config in files:
        if config.name != _GENAI_CONFIG:
            continue
        folder = config.path.removesuffix(_GENAI_CONFIG)
        inside = {file.path.removeprefix(folder): file for file in files if file.path.startswith(folder)}
        kept = {name: file for name, file in inside.items() if "/" not in name and not _LEFT_OUT.fullmatch(name)}
        found.append(OnnxModel(folder.rstrip("/"), kept))

    def order(model: OnnxModel) -> tuple[bool, bool, int, str]:
        words = set(re.split(r"[^a-z0-9]+", model.tag.lower()))
        return "cpu" not in words, "int4" not in words, model.size, model.tag

    return sorted(found, key=order)


def _encoders(files: Iterable[RepositoryFile]) -> list[OnnxModel]:
    """The files that an encoder may be loaded from, each with its weights and all companions; the default first."""
    files = list(files)
    companions = {file.path: file for file in files if _COMPANION.fullmatch(file.path)}
    graphs = [file.path for file in files if re.fullmatch(r"(onnx/)?[^/]+\.onnx", file.path)]
    ordered = sorted(graphs, key=lambda path: (_ENCODERS.index(path) if path in _ENCODERS else len(_ENCODERS), path))
    found = []
    for path in ordered:
        stem = path.removesuffix(".onnx")
        weights = {
            file.path: file for file in files if re.fullmatch(re.escape(stem) + r"\.onnx([._]data.*)?", file.path)
        }
        found.append(OnnxModel(stem.rpartition("/")[2], {**weights, **companions}))
    return found
