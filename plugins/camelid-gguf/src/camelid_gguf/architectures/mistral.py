"""Mistral's dense models and mixtures."""

from collections.abc import Iterator
from typing import ClassVar

from camelid.errors import UnsupportedCapabilityError
from camelid_gguf.architectures.base import Metadata, Rule
from camelid_gguf.architectures.decoder import Decoder
from camelid_gguf.documents import Document

__all__ = ("Ministral3", "Mistral", "Mixtral")

PICTURES = ("vision_tower.", "model.vision_tower.", "multi_modal_projector.", "model.multi_modal_projector.")


class Mistral(Decoder):
    """A Llama. Version 0.1's sliding window is left out: llama.cpp has none for this layout."""

    names: ClassVar[tuple[str, ...]] = ("MistralForCausalLM",)
    gguf = "llama"
    example = "Mistral 7B, Mistral Nemo"
    pairs = True


class Ministral3(Mistral):
    """Mistral Small 3.1 and Ministral 3, whose text part is converted."""

    names = ("Mistral3ForConditionalGeneration", "Ministral3ForCausalLM")
    gguf = "mistral3"
    example = "Mistral Small 3.1, Ministral 3 (text)"
    ignored = PICTURES

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        if config.text("model_type") == "mistral4":
            raise UnsupportedCapabilityError('unsupported architecture "mistral4"')

    def metadata(self, out: Metadata) -> None:
        """Ministral 3 also scales attention with the position."""
        super().metadata(out)
        scale = self.rope.number("llama_4_scaling_beta", 0.0)
        if scale:
            out.put("{}.attention.temperature_scale", scale)


class Mixtral(Mistral):
    """A mixture of experts in Llama's layout."""

    names = ("MixtralForCausalLM",)
    example = "Mixtral 8x7B"

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        self.experts = config.count("num_local_experts", 8, most=1024)

    def feed_forward(self, source: str, target: str) -> Iterator[Rule]:
        """The router, and the experts' matrices in stacks."""
        source = source.removesuffix("mlp") + "block_sparse_moe"
        yield Rule(f"{source}.gate.weight", f"{target}.ffn_gate_inp.weight", (self.experts, self.width), exact=True)
        for part, name, rows, columns in (
            ("gate", "w1", self.inner, self.width),
            ("down", "w2", self.width, self.inner),
            ("up", "w3", self.inner, self.width),
        ):
            names = tuple(f"{source}.experts.{number}.{name}.weight" for number in range(self.experts))
            yield Rule(names, f"{target}.ffn_{part}_exps.weight", (self.experts, rows, columns))

    def metadata(self, out: Metadata) -> None:
        """How many experts there are, and how many a token meets."""
        super().metadata(out)
        out.put("{}.expert_count", self.experts)
        out.put("{}.expert_used_count", self.config.count("num_experts_per_tok", 2, most=self.experts))
