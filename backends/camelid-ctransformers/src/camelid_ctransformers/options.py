"""Load options that only this backend has."""

from typing import Literal

import msgspec

__all__ = ("CTransformersOptions",)


class CTransformersOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `LoadOptions.backend` may say to ctransformers."""

    model_type: str = ""
    """Family of an older GGML file, in ctransformers' words (`gpt2`, `gptneox`, `dolly-v2`…); empty = the family that
    the model's config names, else what the file looks like."""
    batch_size: int = 0
    """Tokens that the library computes at once; 0 = 512 for LLaMA and GGUF, 8 for others, whose buffers are fixed."""
    instructions: Literal["", "avx2", "avx", "basic"] = ""
    """Which of the library's builds to use; empty = the fastest that this processor can run."""
    lock_memory: bool = False
    """Keep the weights from being swapped out."""
    cache_gigabytes: int = 64
    """Room for rewritten GGUF files; what was used longest ago is removed."""
