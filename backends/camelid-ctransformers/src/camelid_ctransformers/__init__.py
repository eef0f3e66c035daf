"""Older GGML models on ctransformers, for Camelid."""

__all__ = ()
