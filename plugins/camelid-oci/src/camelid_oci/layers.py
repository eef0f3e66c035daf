"""The files of artifacts that others made, as layers of a model."""

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

import msgspec

from camelid.contracts.distribution.manifests import Descriptor
from camelid.contracts.registry import LayerSource, ResolvedModel
from camelid.errors import RegistryError

__all__ = ("TITLE", "read_foreign")

TITLE: Final = "org.opencontainers.image.title"
"""The annotation with a file's name."""
_PATH: Final = "org.cncf.model.filepath"
"""The same, as ModelPack has it."""

_GGUF_TYPE: Final = re.compile(r"application/vnd\.docker\.ai\.gguf\.v\d+")
_PROJECTOR_TYPE: Final = "application/vnd.docker.ai.mmproj"
_LICENSE_TYPE: Final = "application/vnd.docker.ai.license"
_COMPANION_NAME: Final = re.compile(r"([^/]+/)?[^/]+\.json|chat_template\.jinja|tokenizer\.model")
_LICENSE_NAME: Final = re.compile(r"(licen[sc]e|copying)(\.(txt|md))?", re.IGNORECASE)


class _Role(Enum):
    """What a file is to a model."""

    GGUF = auto()
    PROJECTOR = auto()
    ONNX = auto()
    SAFETENSORS = auto()
    COMPANION = auto()
    LICENSE = auto()
    NONE = auto()


_MEDIA_TYPES: Final = {
    _Role.GGUF: "application/vnd.ollama.image.model",
    _Role.ONNX: "application/vnd.ollama.image.model",
    _Role.SAFETENSORS: "application/vnd.ollama.image.model",
    _Role.PROJECTOR: "application/vnd.ollama.image.projector",
    _Role.COMPANION: "application/vnd.ollama.image.json",
    _Role.LICENSE: "application/vnd.ollama.image.license",
}
_FORMATS: Final = {
    "gguf": (_Role.GGUF, _Role.PROJECTOR, _Role.LICENSE),
    "onnx": (_Role.ONNX, _Role.COMPANION, _Role.LICENSE),
    "safetensors": (_Role.SAFETENSORS, _Role.COMPANION, _Role.LICENSE),
}
"""What models of a format are made of, the weights first."""


class _File(msgspec.Struct, frozen=True):
    role: _Role
    name: str
    layer: Descriptor


def read_foreign(layers: Iterable[Descriptor], repository: str) -> ResolvedModel:
    """A model of what the layers' media types and names say, of the first format there is; the rest is left out.

    Args:
        layers: of the artifact.
        repository: its URL.

    Raises:
        RegistryError: there are no weights among them.
    """
    files = [_File(*_describe(layer), layer) for layer in layers]
    for model_format, roles in _FORMATS.items():
        if any(file.role is roles[0] for file in files):
            chosen = [file for role in roles for file in sorted(files, key=_main_first) if file.role is role]
            return ResolvedModel(
                layers=tuple(_source(file, repository) for file in chosen), config={"model_format": model_format}
            )
    names = ", ".join(sorted(file.name or file.layer.media_type for file in files))
    raise RegistryError(
        "the artifact holds no model that Camelid could use: no GGUF, ONNX or safetensors files by their names",
        reason=f"{repository}: {names[:500]}",
    )


def _source(file: _File, repository: str) -> LayerSource:
    several = file.role in (_Role.ONNX, _Role.SAFETENSORS, _Role.COMPANION)
    return LayerSource(_MEDIA_TYPES[file.role], file.layer.source(repository), name=file.name if several else "")


def _describe(layer: Descriptor) -> tuple[_Role, str]:
    name = layer.annotation(TITLE) or layer.annotation(_PATH)
    last = name.rpartition("/")[2]
    role = _Role.NONE
    if _GGUF_TYPE.fullmatch(layer.media_type):
        role = _Role.GGUF
    elif layer.media_type == _PROJECTOR_TYPE:
        role = _Role.PROJECTOR
    elif last.endswith(".gguf"):
        role = _Role.PROJECTOR if "mmproj" in last.lower() else _Role.GGUF
    elif ".onnx" in last:
        role = _Role.ONNX
    elif last.endswith(".safetensors"):
        role = _Role.SAFETENSORS
    elif _COMPANION_NAME.fullmatch(name):
        role = _Role.COMPANION
    elif layer.media_type == _LICENSE_TYPE or _LICENSE_NAME.fullmatch(last):
        role = _Role.LICENSE
    return role, name


def _main_first(file: _File) -> tuple[bool, str]:
    """The ONNX file itself before its data; pieces in their order."""
    return not file.name.endswith(".onnx"), file.name
