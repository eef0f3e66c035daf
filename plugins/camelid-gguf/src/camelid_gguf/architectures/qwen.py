"""Qwen 2 and 3, dense and mixtures."""

from collections.abc import Iterator
from typing import ClassVar

from camelid_gguf.architectures.base import Metadata, Rule
from camelid_gguf.architectures.decoder import Decoder
from camelid_gguf.documents import Document

__all__ = ("Qwen2", "Qwen2Moe", "Qwen3", "Qwen3Moe")


class Qwen2(Decoder):
    """Biases for queries, keys and values. The sliding window, which released models switch off, is left out."""

    names = ("Qwen2ForCausalLM", "Qwen2Model")
    gguf = "qwen2"
    example = "Qwen 2, Qwen 2.5, DeepSeek-R1-Distill-Qwen"


class Qwen3(Decoder):
    """Norms for queries and keys."""

    names: ClassVar[tuple[str, ...]] = ("Qwen3ForCausalLM", "Qwen3Model")
    gguf = "qwen3"
    example = "Qwen 3, Qwen3-Embedding"
    head_norms = True


class Qwen3Moe(Qwen3):
    """Every block is a mixture of experts."""

    names: ClassVar[tuple[str, ...]] = ("Qwen3MoeForCausalLM",)
    gguf = "qwen3moe"
    example = "Qwen3-30B-A3B"
    normalised: ClassVar[bool] = True
    """Whether llama.cpp makes the weights of a token's experts add up to one."""

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        named = "num_experts" if "num_experts" in config else "num_local_experts"
        self.experts = config.count(named, most=1024)
        self.expert_inner = config.count("moe_intermediate_size")
        self.require("decoder_sparse_step", equal=1)
        self.require("mlp_only_layers", equal=[])

    def feed_forward(self, source: str, target: str) -> Iterator[Rule]:
        """The router, and the experts' matrices in stacks."""
        yield Rule(f"{source}.gate.weight", f"{target}.ffn_gate_inp.weight", (self.experts, self.width), exact=True)
        for part, rows, columns in (
            ("gate", self.expert_inner, self.width),
            ("up", self.expert_inner, self.width),
            ("down", self.width, self.expert_inner),
        ):
            names = tuple(f"{source}.experts.{number}.{part}_proj.weight" for number in range(self.experts))
            yield Rule(names, f"{target}.ffn_{part}_exps.weight", (self.experts, rows, columns))

    def metadata(self, out: Metadata) -> None:
        """Number and size of the experts."""
        self.require("norm_topk_prob", equal=self.normalised)
        super().metadata(out)
        out.put("{}.expert_count", self.experts)
        out.put("{}.expert_used_count", self.config.count("num_experts_per_tok", most=self.experts))
        out.put("{}.expert_feed_forward_length", self.expert_inner)


class Qwen2Moe(Qwen3Moe):
    """Beside the experts there is one that each token meets."""

    names = ("Qwen2MoeForCausalLM",)
    gguf = "qwen2moe"
    example = "Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B"
    head_norms = False
    normalised = False

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        self.shared_inner = config.count("shared_expert_intermediate_size")

    def feed_forward(self, source: str, target: str) -> Iterator[Rule]:
        """The experts, then the shared one with its gate."""
        yield from super().feed_forward(source, target)
        yield Rule(f"{source}.shared_expert_gate.weight", f"{target}.ffn_gate_inp_shexp.weight", (self.width,))
        for part, rows, columns in (
            ("gate", self.shared_inner, self.width),
            ("up", self.shared_inner, self.width),
            ("down", self.width, self.shared_inner),
        ):
            yield Rule(
                f"{source}.shared_expert.{part}_proj.weight", f"{target}.ffn_{part}_shexp.weight", (rows, columns)
            )

    def metadata(self, out: Metadata) -> None:
        """The shared expert's size too."""
        super().metadata(out)
        out.put("{}.expert_shared_feed_forward_length", self.shared_inner)
