"""The families of models that can be converted, one small file each."""

from typing import Final

from camelid.errors import UnsupportedCapabilityError
from camelid_gguf.architectures.base import Architecture, Metadata, Rule
from camelid_gguf.architectures.bert import Bert, NomicBert
from camelid_gguf.architectures.gemma import EmbeddingGemma, Gemma, Gemma2, Gemma3
from camelid_gguf.architectures.llama import Llama
from camelid_gguf.architectures.mistral import Ministral3, Mistral, Mixtral
from camelid_gguf.architectures.phi import Phi3
from camelid_gguf.architectures.qwen import Qwen2, Qwen2Moe, Qwen3, Qwen3Moe

__all__ = ("FAMILIES", "Architecture", "Metadata", "Rule", "family_named", "family_of")

FAMILIES: Final[tuple[type[Architecture], ...]] = (
    Llama,
    Mistral,
    Ministral3,
    Mixtral,
    Qwen2,
    Qwen2Moe,
    Qwen3,
    Qwen3Moe,
    Gemma,
    Gemma2,
    Gemma3,
    EmbeddingGemma,
    Phi3,
    Bert,
    NomicBert,
)
"""Every family; where two have the same name in llama.cpp, the first stands for both."""


def family_of(name: str) -> type[Architecture]:
    """The family that config.json's `architectures` names.

    Raises:
        UnsupportedCapabilityError: there is none.
    """
    for family in FAMILIES:
        if name in family.names:
            return family
    supported = ", ".join(sorted(each for family in FAMILIES for each in family.names))
    raise UnsupportedCapabilityError(f'unsupported architecture "{name[:80]}"', reason=f"supported: {supported}")


def family_named(gguf: str) -> type[Architecture]:
    """The family that llama.cpp calls so.

    Raises:
        UnsupportedCapabilityError: there is none.
    """
    for family in FAMILIES:
        if gguf == family.gguf:
            return family
    supported = ", ".join(dict.fromkeys(family.gguf for family in FAMILIES))
    raise UnsupportedCapabilityError(f'unsupported architecture "{gguf[:80]}"', reason=f"supported: {supported}")
