"""What there is to know of one family of models."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from camelid_llamacpp.combined.draft import Draft

__all__ = ("HALVES", "OPENAI_MEAN", "OPENAI_SPREAD", "Family", "ProjectorNames", "as_it_is")

HALVES: Final = (0.5, 0.5, 0.5)
OPENAI_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
OPENAI_SPREAD: Final = (0.26862954, 0.26130258, 0.27577711)
"""With which pictures are normalized for encoders that began as CLIP's."""


def as_it_is(_: Draft) -> None:
    """Nothing has to be changed."""


class ProjectorNames(msgspec.Struct, frozen=True, kw_only=True):
    """How a projector inside of a model's file becomes one of llama.cpp's."""

    kind: str
    """llama.cpp's name for it."""
    tensors: tuple[tuple[str, str], ...] = ()
    """Parts of names: Ollama's and llama.cpp's, in the order in which they are replaced."""
    keys: Mapping[str, str] = {}
    """Keys of whole numbers that do not have the same name below `clip.vision.` and the architecture's `vision.`:
    llama.cpp's, and the file's below its architecture."""
    decimals: Mapping[str, str] = {}
    """The same for keys of other numbers."""
    defaults: Mapping[str, int] = {}
    """Below `clip.vision.`, where the file says nothing."""
    epsilon: float = 1e-6
    """Of its norms, where the file says nothing."""
    activation: str = ""
    """`gelu` or `silu`."""
    mean: tuple[float, ...] = HALVES
    spread: tuple[float, ...] = HALVES
    floats: tuple[str, ...] = ()
    """Tensors, by llama.cpp's names, that it wants with 32 bits for each number."""
    without: tuple[str, ...] = ()
    """Tensors, by the beginnings of their names, that do not belong to it."""
    adjust: Callable[[Draft], None] = as_it_is
    """What else is to be done, before tensors get other names. Keys are those of both."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How a file of Ollama's becomes one of llama.cpp's."""

    marks: frozenset[str] = frozenset()
    """Keys below the architecture by which a file is known as Ollama's, if no part of a projector is in it."""
    lacks: str = ""
    """A key below the architecture that Ollama leaves out and llama.cpp needs: it marks a file as well."""
    mark_tensors: tuple[str, ...] = ()
    """Ends of tensors' names that mark a file, too."""
    foreign: bool = False
    """Whether llama.cpp does not know the architecture by this name, so that each such file is Ollama's."""
    language: Callable[[Draft], None] = as_it_is
    """Changes the language model; what belongs to a projector is left out already."""
    projector: ProjectorNames | None = None
    """None if llama.cpp cannot be given the projector."""
