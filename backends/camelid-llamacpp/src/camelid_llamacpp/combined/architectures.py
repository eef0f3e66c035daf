"""Which models see although their projector lies in their own file: for those who must not import what reads it."""

from typing import Final

__all__ = ("SEEING_ARCHITECTURES",)

SEEING_ARCHITECTURES: Final = frozenset(
    {
        *("gemma3", "gemma4", "glmocr", "llama4", "mistral3"),
        *("qwen25vl", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe"),
    }
)
"""As their files call them."""
