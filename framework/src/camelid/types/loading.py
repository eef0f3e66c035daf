"""How a model is to be loaded, after the framework has decided everything that is policy."""

import msgspec

from camelid.types.json import JsonObject

__all__ = ("LoadOptions",)


class LoadOptions(msgspec.Struct, frozen=True):
    """Resolved load options. Two requests whose options differ cannot share a worker (contract 16.3)."""

    context_length: int = 4096
    """Tokens that one sequence may hold."""
    parallel: int = 1
    """Sequences that may be generated at once; the KV cache holds `context_length * parallel` tokens."""
    batch_tokens: int = 512
    """Tokens that one step may compute."""
    gpu_layers: int = -1
    """Layers on an accelerator; -1 = as many as fit, 0 = none."""
    main_gpu: int | None = None
    threads: int = 0
    """Threads for computing; 0 = the backend chooses."""
    memory_map: bool | None = None
    """Map the weights instead of reading them; None = the backend chooses."""
    flash_attention: bool | None = None
    cache_type: str = "f16"
    """Element type of the KV cache: `f16`, `q8_0`, `q4_0`."""
    backend: JsonObject = {}
    """The chosen backend's own options, checked against its descriptor's schema."""
    draft_tokens: int = -1
    """Tokens that may be guessed ahead of each sequence, to be verified in one batch; 0 = none, -1 = as many as pay."""
    prefix_memory: int = 0
    """Bytes of host memory for computed prefixes that had to leave the KV cache; 0 = they are forgotten."""
    prefix_disk: int = 0
    """Bytes of files for computed prefixes, of all models together; 0 = none are written."""
    prefix_folder: str = ""
    """Absolute path of the folder of these files, as seen by the worker."""
    tokenizer: str = ""
    """Entry-point name of a plugin whose tokenizer is used instead of the backend's; empty for the backend's."""
