"""The Hugging Face Hub as a source of models."""

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit

from camelid.contracts.registry import BlobSource, BlobStream, LayerSource, Registry, ResolvedModel
from camelid.errors import RegistryError
from camelid.types.json import JsonObject
from camelid.types.names import ModelName
from camelid_huggingface.companions import LIMIT, companions
from camelid_huggingface.hub import Hub
from camelid_huggingface.onnx import find_onnx
from camelid_huggingface.refusals import Repository
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo
from camelid_huggingface.safetensors import find_safetensors
from camelid_huggingface.weights import Candidate, choose_projector, choose_weights, list_candidates

__all__ = ("HubModels",)

_HOSTS: Final = frozenset({"hf.co", "huggingface.co", "www.huggingface.co"})
_MODEL: Final = "application/vnd.ollama.image.model"
_PROJECTOR: Final = "application/vnd.ollama.image.projector"
_COMPANION: Final = "application/vnd.ollama.image.json"
_MOST_UNHASHED = 64
"""Small files of one model; each is read, and kept until it is stored."""
_UNHASHED_LIMIT: Final = 16 << 20
"""Bytes of weights whose digest the Hub does not know; larger files always have one."""


class HubModels(Registry):
    """Models named `hf.co/OWNER/REPOSITORY:QUANTIZATION`; the host of `HF_ENDPOINT` means the Hub, too."""

    def __init__(self, hub: Hub | None = None) -> None:
        """Bind.

        Args:
            hub: to ask; None for the one that `huggingface_hub` is set up for.
        """
        self._hub = hub or Hub()

    @property
    def name(self) -> str:
        """`huggingface`."""
        return "huggingface"

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """The weights that the tag means, their projector, and what lies beside them.

        Raises:
            TransientRegistryError: the Hub does not answer now.
            RegistryError: the Hub has no such model, or does not let us read it.
        """
        if name.host.lower() not in {*_HOSTS, _configured_host()}:
            return None
        repository = Repository(name.namespace, name.model)
        info = self._hub.describe(repository)
        layers, config = self._model(repository, info, name.tag)
        return ResolvedModel(layers=(*layers, *self._companions(repository, info)), config=config)

    def open(self, blob: BlobSource, offset: int) -> BlobStream:
        """The bytes of a file from `offset` on.

        Raises:
            RegistryError: trying again is of no use, unless it is a `TransientRegistryError`.
            OSError: the connection broke.
        """
        return self.open_range(blob, offset, blob.size - offset)

    def open_range(self, blob: BlobSource, offset: int, length: int) -> BlobStream:
        """`length` bytes of a file from `offset` on; fewer at its end.

        Raises:
            RegistryError: trying again is of no use, unless it is a `TransientRegistryError`.
            OSError: the connection broke.
        """
        length = min(length, blob.size - offset)
        if length <= 0:
            return nullcontext(BytesIO())
        owner, _, rest = blob.url.removeprefix(self._hub.endpoint)[1:].partition("/")
        return self._hub.open(blob, Repository(owner, rest.partition("/")[0]), offset, length)

    def _model(
        self, repository: Repository, info: RepositoryInfo, tag: str
    ) -> tuple[Iterator[LayerSource], JsonObject]:
        """The layers of the model itself, and its config; the first format that the repository has."""
        candidates = list_candidates(info.files)
        if candidates:
            weights = choose_weights(candidates, tag)
            return self._weights(repository, info, weights), _config(weights, info)
        onnx = find_onnx(info, tag)
        if onnx is not None:
            return self._folder(repository, info, onnx.files), {"model_format": "onnx"}
        safetensors = find_safetensors(info, tag)
        if safetensors is not None:
            return self._folder(repository, info, safetensors), {"model_format": "safetensors"}
        raise RegistryError(f"{repository} has no model that Camelid could use: no GGUF, ONNX or safetensors files")

    def _weights(self, repository: Repository, info: RepositoryInfo, weights: Candidate) -> Iterator[LayerSource]:
        for file in weights.files:
            yield LayerSource(_MODEL, self._blob(repository, info, file))
        projector = choose_projector(info.files, weights)
        if projector is not None:
            yield LayerSource(_PROJECTOR, self._blob(repository, info, projector))

    def _folder(
        self, repository: Repository, info: RepositoryInfo, files: Mapping[str, RepositoryFile]
    ) -> Iterator[LayerSource]:
        """The files under their names, the weights first, and of those the one with the graph.

        Raises:
            RegistryError: too many of them have to be read to know their digests.
        """
        if sum(not file.digest for file in files.values()) > _MOST_UNHASHED:
            raise RegistryError(f"{repository} has more than {_MOST_UNHASHED} small files beside its weights")
        for name in sorted(files, key=lambda name: (not _is_weights(name), not name.endswith(".onnx"), name)):
            media_type = _MODEL if _is_weights(name) else _COMPANION
            yield LayerSource(media_type, self._blob(repository, info, files[name]), name=name)

    def _blob(self, repository: Repository, info: RepositoryInfo, file: RepositoryFile) -> BlobSource:
        if file.digest:
            url = self._hub.file_url(repository, info.sha, file)
            return BlobSource(digest=file.digest, size=file.bytes, url=url)
        content = self._hub.read(repository, info.sha, file, _UNHASHED_LIMIT)
        return BlobSource(digest="", size=len(content), content=content)

    def _companions(self, repository: Repository, info: RepositoryInfo) -> Iterator[LayerSource]:
        return companions(info, lambda file: self._hub.read(repository, info.sha, file, LIMIT))


def _is_weights(name: str) -> bool:
    return ".onnx" in name.rpartition("/")[2] or name.endswith(".safetensors")


def _configured_host() -> str:
    """That of another Hub; read here, since `huggingface_hub` is imported only for a name of the Hub."""
    return urlsplit(os.environ.get("HF_ENDPOINT", "")).netloc.lower()


def _config(weights: Candidate, info: RepositoryInfo) -> JsonObject:
    """What the first of several pieces cannot say: how many parameters there are in all."""
    if not weights.count or not info.parameter_count:
        return {"model_format": "gguf"}
    return {"model_format": "gguf", "model_type": _in_words(info.parameter_count)}


def _in_words(parameters: int) -> str:
    """As Ollama writes it (contract 13.3)."""
    for unit, letter, digits in ((10**9, "B", 1), (10**6, "M", 2)):
        if parameters >= unit:
            return f"{parameters / unit:.{digits}f}".rstrip("0").rstrip(".") + letter
    return f"{parameters // 1000}K" if parameters >= 1000 else str(parameters)
