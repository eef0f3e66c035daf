"""Load options that only this backend has."""

import msgspec

__all__ = ("LlamaCppOptions",)


class LlamaCppOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `LoadOptions.backend` may say to llama.cpp."""

    batch_threads: int = 0
    """Threads for computing prompts; 0 = as many as for generating."""
    check_tensors: bool = False
    """Look through all weights for invalid values while loading."""
    lock_memory: bool = False
    """Keep the weights from being swapped out."""
    full_window: bool = True
    """Models with sliding-window attention keep all tokens in the KV cache, so that prefixes can be reused;
    false saves memory."""
    media_cache: int = 128
    """Mebibytes of encoded pictures and sounds that are kept for the next turn of a chat; 0 = none."""
