"""Converters that write GGUF files. `plugin` holds the hooks."""

__all__ = ()
