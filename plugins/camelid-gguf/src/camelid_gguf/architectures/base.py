"""What a family of models is for the converter: a table of tensors, and metadata."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from camelid.errors import UnsupportedCapabilityError
from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.library import Value

__all__ = ("MOST_BLOCKS", "Architecture", "Metadata", "Rule")

MOST_BLOCKS = 512
"""llama.cpp loads no model with more."""


class Rule(msgspec.Struct, frozen=True):
    """One tensor of the GGUF file, and where it comes from."""

    source: str | tuple[str, ...]
    """Its name, as `Architecture.rename` leaves it; several are stacked on a new first axis."""
    target: str
    shape: tuple[int, ...]
    """In NumPy's order: rows first."""
    heads: int = 0
    """Rotary heads whose rows change from halves to pairs; 0 = none."""
    add: float = 0.0
    """Added to each number."""
    required: bool = True
    exact: bool = False
    """Stays F32 whatever is asked for."""


class Metadata:
    """Keys and values in their order."""

    def __init__(self, architecture: str) -> None:
        self.architecture = architecture
        self.values: dict[str, Value] = {}

    def put(self, key: str, value: Value) -> None:
        """Set `key`; `{}` in it stands for the architecture."""
        self.values[key.replace("{}", self.architecture)] = value


class Architecture(ABC):
    """One family. An instance is one model of it, made of its configuration.

    The configuration may also come from the header of a GGUF file (`adapter.py`): only `rules` is used then.
    """

    names: ClassVar[tuple[str, ...]]
    """What `architectures` in config.json says."""
    gguf: ClassVar[str]
    """llama.cpp's name."""
    example: ClassVar[str]
    """Well-known models, for people."""
    modules: ClassVar[tuple[str, ...]] = ()
    """Folders further down with a `model.safetensors` each, whose tensors belong to the model too."""
    ignored: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names of tensors that GGUF has no place for, or that a text model does not need."""

    def __init__(self, config: Document) -> None:
        self.config = config
        self.width = config.count("hidden_size")
        self.blocks = config.count("num_hidden_layers", most=MOST_BLOCKS)
        self.heads = config.count("num_attention_heads", most=65536)
        self.vocabulary = config.count("vocab_size")

    @classmethod
    def flatten(cls, config: Document) -> Document:
        """The text model's configuration, where a model of several kinds has one for each."""
        return config.section("text_config").over(config) if "text_config" in config else config

    def rename(self, name: str) -> str:
        """A tensor's name as the rules know it."""
        name = name.replace("model.language_model.", "model.", 1).removeprefix("language_model.")
        return f"model.{name}" if name.startswith(("layers.", "embed_tokens.", "norm.")) else name

    def ignores(self, name: str) -> bool:
        """Whether a renamed tensor that no rule wants is left out silently."""
        return name.startswith(self.ignored) or name.endswith((".inv_freq", ".attention.bias", ".masked_bias"))

    @abstractmethod
    def rules(self) -> Iterator[Rule]:
        """Every tensor, block by block."""

    @abstractmethod
    def metadata(self, out: Metadata) -> None:
        """Put everything that llama.cpp needs to know, other than the vocabulary.

        Raises:
            UnsupportedCapabilityError: the model does something that llama.cpp does not.
        """

    def extras(self, out: Metadata, folder: SourceFolder) -> None:  # noqa: B027 - most families have none
        """Put what stands in files of its own."""

    def constants(self) -> Iterator[tuple[str, list[float]]]:
        """Vectors that are computed from the configuration."""
        return iter(())

    def require(self, key: str, *, equal: object) -> None:
        """Refuse a model whose configuration says otherwise than llama.cpp computes.

        Raises:
            UnsupportedCapabilityError: it does.
        """
        value = self.config.values.get(key)
        if value is not None and value != equal:
            raise UnsupportedCapabilityError(
                f'{self.config.name}: "{key}" must be {equal!r} for {self.gguf}, not {str(value)[:80]}'
            )
