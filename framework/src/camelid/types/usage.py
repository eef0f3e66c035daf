"""What an engine holds and has done, as numbers."""

import msgspec

__all__ = ("EngineUsage",)


class EngineUsage(msgspec.Struct, frozen=True, array_like=True):
    """One moment of an engine. Those of an engine that does not tell are 0. Counters begin with the model's loading."""

    running: int = 0
    """Requests that are computed now."""
    waiting: int = 0
    """Requests that wait for a place."""
    cells: int = 0
    """Tokens that the KV cache can hold."""
    cells_used: int = 0
    """Of these, filled."""
    prefix_memory: int = 0
    """Bytes of host memory that prefixes may take which had to leave the KV cache."""
    prefix_memory_used: int = 0
    prefix_disk: int = 0
    """Bytes of files that prefixes of all models together may take."""
    prefix_disk_used: int = 0
    """Bytes of this model's files."""
    prompt_tokens: int = 0
    """Counter: prompt tokens that were computed."""
    cached_tokens: int = 0
    """Counter: prompt tokens that did not have to be."""
    generated_tokens: int = 0
    """Counter."""
    guessed_tokens: int = 0
    """Counter: tokens that were guessed ahead."""
    accepted_tokens: int = 0
    """Counter: guesses that were right."""
    preemptions: int = 0
    """Counter: times that a request had to step back because the KV cache was full."""
