"""Whether a file has what a score is made with, which llama.cpp does not tell."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Final

import msgspec

from camelid_llamacpp.combined.gguf_file import read_gguf
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.traits import ModelTraits

__all__ = ("look_for_rank_head",)

_HEADS: Final = ("cls.output.weight", "cls.weight")
"""The first one there makes the scores."""
_YES: Final = b"yes"
"""The label of a score where there are two: its probability is the one against the other's."""


def look_for_rank_head(model: int, traits: ModelTraits, files: Sequence[Path], owner: str) -> ModelTraits:
    """The traits of a model with its pooling corrected, and whether it ranks.

    Converters leave the pooling of most cross-encoders unsaid. Of a file without a head llama.cpp would give out a
    number of its hidden state as the score.

    Args:
        model: handle of the model.
        traits: as its metadata has them.
        files: of the model.
        owner: whose files they are, for errors.

    Raises:
        InvalidModelFileError: a file is broken.
    """
    unsaid = traits.pooling == llama_cpp.LLAMA_POOLING_TYPE_NONE
    if traits.generates or not (unsaid or traits.pooling == llama_cpp.LLAMA_POOLING_TYPE_RANK):
        return traits
    outputs: int = llama_cpp.llama_model_n_cls_out(model)
    label: bytes | None = llama_cpp.llama_model_cls_label(model, 0)
    scores = outputs == 1 or (outputs == 2 and label == _YES)
    if not scores or _head_outputs(files, owner) != outputs:
        return traits
    return msgspec.structs.replace(traits, pooling=llama_cpp.LLAMA_POOLING_TYPE_RANK, ranks=True)


def _head_outputs(files: Sequence[Path], owner: str) -> int:
    """How many numbers the head gives; 0 if there is none."""
    tensors = {name: tensor for file in files for name, tensor in read_gguf(file, owner).tensors.items()}
    head = next((tensors[name] for name in _HEADS if name in tensors), None)
    return 0 if head is None else prod(head.shape[1:])
