"""All families."""

from collections.abc import Mapping
from typing import Final

from camelid_llamacpp.combined.families.family import Family
from camelid_llamacpp.combined.families.gemma3 import GEMMA3
from camelid_llamacpp.combined.families.gemma4 import GEMMA4
from camelid_llamacpp.combined.families.glmocr import GLMOCR
from camelid_llamacpp.combined.families.llama4 import LLAMA4
from camelid_llamacpp.combined.families.mistral3 import MISTRAL3
from camelid_llamacpp.combined.families.qwen import QWEN3NEXT, QWEN3VL, QWEN25VL, QWEN35
from camelid_llamacpp.combined.families.text_only import TEXT_ONLY

__all__ = ("FAMILIES",)

FAMILIES: Final[Mapping[str, Family]] = {
    "gemma3": GEMMA3,
    "gemma4": GEMMA4,
    "glmocr": GLMOCR,
    "llama4": LLAMA4,
    "mistral3": MISTRAL3,
    "qwen25vl": QWEN25VL,
    "qwen3next": QWEN3NEXT,
    "qwen3vl": QWEN3VL,
    "qwen3vlmoe": QWEN3VL,
    "qwen35": QWEN35,
    "qwen35moe": QWEN35,
    **TEXT_ONLY,
}
"""By the architecture that the file names."""
