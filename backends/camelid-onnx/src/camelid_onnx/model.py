"""What both kinds of ONNX models have."""

from camelid import BatchDecoder, Embedder, Engine, LoadedModel
from camelid_onnx.tokenizer import FolderTokenizer

__all__ = ("OnnxModel",)


class OnnxModel(LoadedModel):
    """A model of this backend: one that generates, or an encoder."""

    def __init__(self, tokenizer: FolderTokenizer) -> None:
        self._tokenizer = tokenizer

    def tokenizer(self) -> FolderTokenizer:
        """The tokenizer of its folder."""
        return self._tokenizer

    def generator(self) -> BatchDecoder | Engine | None:
        """A decoder or an engine, or None if it does not generate."""
        return None

    def embedder(self) -> Embedder | None:
        """An embedder, or None if it is no encoder."""
        return None
