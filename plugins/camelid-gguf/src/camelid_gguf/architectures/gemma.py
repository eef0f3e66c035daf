"""Gemma 1 to 3."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar

from camelid.errors import UnsupportedCapabilityError
from camelid_gguf.architectures.base import Metadata, Rule
from camelid_gguf.architectures.decoder import Decoder
from camelid_gguf.architectures.mistral import PICTURES
from camelid_gguf.architectures.pooling import pooling_of
from camelid_gguf.architectures.rope import rope_of
from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder

__all__ = ("EmbeddingGemma", "Gemma", "Gemma2", "Gemma3")


class Gemma(Decoder):
    """Norms have weights around zero, and the embedding makes the logits too."""

    names: ClassVar[tuple[str, ...]] = ("GemmaForCausalLM",)
    gguf = "gemma"
    example = "Gemma 2B, 7B"
    norm_add = 1.0
    activation = ""
    ignored: ClassVar[tuple[str, ...]] = ("lm_head.",)
    defaults: ClassVar[Mapping[str, object]] = MappingProxyType({})

    def __init__(self, config: Document) -> None:
        super().__init__(config.over(Document(config.name, {"head_dim": 256, **self.defaults})))

    def output(self) -> Iterator[Rule]:
        """Nothing: it is the embedding."""
        return iter(())


class Gemma2(Gemma):
    """Soft caps, a sliding window in every other block, and norms behind attention and network too."""

    names: ClassVar[tuple[str, ...]] = ("Gemma2ForCausalLM",)
    gguf = "gemma2"
    example = "Gemma 2 2B, 9B, 27B"
    defaults = MappingProxyType(
        {"sliding_window": 4096, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
    )
    period = 2
    wide = 46
    """Blocks of the one size for which llama.cpp scales attention by the width of the model, not of a head."""

    def norms(self, source: str, target: str) -> Iterator[Rule]:
        """Four norms."""
        yield self.norm(f"{source}.input_layernorm", f"{target}.attn_norm", self.width)
        yield self.norm(f"{source}.post_attention_layernorm", f"{target}.post_attention_norm", self.width)
        yield self.norm(f"{source}.pre_feedforward_layernorm", f"{target}.ffn_norm", self.width)
        yield self.norm(f"{source}.post_feedforward_layernorm", f"{target}.post_ffw_norm", self.width)

    def metadata(self, out: Metadata) -> None:
        """Caps and windows.

        Raises:
            UnsupportedCapabilityError: llama.cpp scales attention otherwise for a model of this depth.
        """
        super().metadata(out)
        self._check_scale()
        out.put("{}.attention.sliding_window", self.config.count("sliding_window"))
        self._put_pattern(out)
        for key, name in (("attn_logit_softcapping", "attn"), ("final_logit_softcapping", "final")):
            if key in self.config:
                out.put(f"{{}}.{name}_logit_softcapping", self.config.number(key))

    def _check_scale(self) -> None:
        computed = self.width // self.heads if self.blocks == self.wide else self.head_width
        asked = self.config.number("query_pre_attn_scalar", computed)
        if asked != computed:
            raise UnsupportedCapabilityError(
                f"{self.config.name}: llama.cpp has a query_pre_attn_scalar of {computed} for this model, not {asked:g}"
            )

    def _put_pattern(self, out: Metadata) -> None:
        usual = [
            "full_attention" if number % self.period == self.period - 1 else "sliding_attention"
            for number in range(self.blocks)
        ]
        layers = self.config.texts("layer_types")
        period = self.config.count("sliding_window_pattern", self.period)
        if layers and layers != usual:
            if len(layers) != self.blocks:
                raise UnsupportedCapabilityError(f"{self.config.name}: layer_types must name each of the {self.blocks}")
            out.put("{}.attention.sliding_window_pattern", [kind == "sliding_attention" for kind in layers])
        elif not layers and period != self.period:
            out.put("{}.attention.sliding_window_pattern", period)


class Gemma3(Gemma2):
    """Norms for queries and keys, and two bases of rotary positions. Only the text part is converted."""

    names: ClassVar[tuple[str, ...]] = ("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration")
    gguf = "gemma3"
    example = "Gemma 3 270M to 27B (text)"
    head_norms = True
    ignored = ("lm_head.", *PICTURES)
    defaults = MappingProxyType(
        {
            "sliding_window": 4096,
            "max_position_embeddings": 131072,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "vocab_size": 262208,
            "rope_theta": 1_000_000.0,
        }
    )
    period = 6
    wide = 62

    def metadata(self, out: Metadata) -> None:
        """The base for windows too."""
        super().metadata(out)
        near = rope_of(self.config, "sliding_attention").number("rope_theta", 10000.0)
        if "full_attention" not in self.config.section("rope_parameters"):
            near = self.config.number("rope_local_base_freq", 10000.0)
        out.put("{}.rope.freq_base_swa", near)


class EmbeddingGemma(Gemma3):
    """A Gemma 3 without causal mask, whose vectors pass through two more matrices."""

    names = ("Gemma3TextModel",)
    gguf = "gemma-embedding"
    example = "EmbeddingGemma 300M"
    modules = ("2_Dense", "3_Dense")

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        self.require("use_bidirectional_attention", equal=True)

    def rules(self) -> Iterator[Rule]:
        """The two matrices last; a model may have been published without them."""
        yield from super().rules()
        for number, module in enumerate(self.modules, 2):
            yield Rule(f"{module}.linear.weight", f"dense_{number}.weight", (), required=False)

    def extras(self, out: Metadata, folder: SourceFolder) -> None:
        """Pooling, and the sizes of the two matrices."""
        out.put("{}.pooling_type", pooling_of(folder))
        for number, module in enumerate(self.modules, 2):
            config = folder.optional(f"{module}/config.json")
            if config.values:
                out.put(f"{{}}.dense_{number}_feat_in", config.count("in_features"))
                out.put(f"{{}}.dense_{number}_feat_out", config.count("out_features"))
