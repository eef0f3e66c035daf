"""The files of a model, as the store hands them to a backend."""

from enum import StrEnum

import msgspec

from camelid.types.json import JsonObject

__all__ = ("FileRole", "ModelArtifact", "ModelFile")


class FileRole(StrEnum):
    """What a file is for."""

    MODEL = "model"
    PROJECTOR = "projector"
    ADAPTER = "adapter"
    DRAFT = "draft"
    COMPANION = "companion"
    """What stands beside the weights of a model of several files: its configuration, its tokenizer."""


class ModelFile(msgspec.Struct, frozen=True):
    """One file of a model."""

    path: str
    """Absolute; inside the store, so never a name that a client chose."""
    role: FileRole = FileRole.MODEL
    size: int = 0
    """Bytes."""
    digest: str = ""
    """`sha256:` and 64 hex digits."""
    name: str = ""
    """What it is called within a model of several files, relative and with slashes: a client may have chosen it."""


class ModelArtifact(msgspec.Struct, frozen=True):
    """Everything a backend needs to load one model."""

    name: str
    """How people call it, for messages only."""
    format: str
    """`gguf`, `onnx`, `ggml`, `safetensors`, `echo`…: what a backend's descriptor lists."""
    files: tuple[ModelFile, ...]
    config: JsonObject = {}
    """The model's config blob (contract 13.3) as it is."""
    folder: str = ""
    """Absolute path of a folder in which the files that have names stand under them, and nothing else. It is there as
    long as `camelid_load_model` runs; empty if no file has a name."""

    @property
    def model(self) -> ModelFile:
        """The main weights: the first file whose role is `model`."""
        return next(file for file in self.files if file.role is FileRole.MODEL)

    def with_role(self, role: FileRole) -> tuple[ModelFile, ...]:
        """The files of one role, in order."""
        return tuple(file for file in self.files if file.role is role)

    @property
    def key(self) -> str:
        """Identity of what would be loaded: equal keys can share one worker (contract 16.1)."""
        return "+".join(file.name + (file.digest or file.path) for file in self.files)
