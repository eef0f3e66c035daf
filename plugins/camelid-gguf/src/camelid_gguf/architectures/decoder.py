"""The transformer that nearly all text models are: RMS norms, rotary positions, a gated feed-forward network."""

from collections.abc import Iterator
from typing import ClassVar

from camelid.errors import InvalidModelFileError
from camelid_gguf.architectures.base import Architecture, Metadata, Rule
from camelid_gguf.architectures.rope import rope_frequencies, rope_metadata, rope_of
from camelid_gguf.documents import Document

__all__ = ("Decoder",)


class Decoder(Architecture):
    """Families change the class variables and add rules."""

    pairs: ClassVar[bool] = False
    """llama.cpp rotates neighbouring numbers, not halves of a head."""
    norm_add: ClassVar[float] = 0.0
    """Added to the weights of norms."""
    activation: ClassVar[str] = "silu"
    """What `hidden_act` must say; empty = anything."""
    head_norms: ClassVar[bool] = False
    """Each head's queries and keys have a norm."""

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        self.kv_heads = config.count("num_key_value_heads", self.heads, most=65536)
        self.head_width = config.count("head_dim", self.width // self.heads)
        if self.head_width % 2:
            raise InvalidModelFileError(f"{config.name}: heads of {self.head_width} numbers cannot be rotated")
        self.inner = config.count("intermediate_size")
        self.rope = rope_of(config)
        if self.activation:
            self.require("hidden_act", equal=self.activation)

    def rules(self) -> Iterator[Rule]:
        """Embedding, blocks, output."""
        yield Rule("model.embed_tokens.weight", "token_embd.weight", (self.vocabulary, self.width))
        for number in range(self.blocks):
            source, target = f"model.layers.{number}", f"blk.{number}"
            yield from self.norms(source, target)
            yield from self.attention(f"{source}.self_attn", target)
            yield from self.feed_forward(f"{source}.mlp", target)
        yield self.norm("model.norm", "output_norm", self.width)
        yield from self.output()

    def output(self) -> Iterator[Rule]:
        """The matrix that makes logits, where it is not the embedding's."""
        tied = self.config.flag("tie_word_embeddings", default=False)
        # The flag of a model of several kinds may stand in either of two configurations.
        sure = "tie_word_embeddings" in self.config and "text_config" not in self.config
        if not tied:
            yield Rule("lm_head.weight", "output.weight", (self.vocabulary, self.width), required=sure)

    def ignores(self, name: str) -> bool:
        """A copy of the embedding, too."""
        return super().ignores(name) or name == "lm_head.weight"

    def norms(self, source: str, target: str) -> Iterator[Rule]:
        """The norms of a block."""
        yield self.norm(f"{source}.input_layernorm", f"{target}.attn_norm", self.width)
        yield self.norm(f"{source}.post_attention_layernorm", f"{target}.ffn_norm", self.width)

    def norm(self, source: str, target: str, width: int) -> Rule:
        """One norm."""
        return Rule(f"{source}.weight", f"{target}.weight", (width,), add=self.norm_add)

    def attention(self, source: str, target: str) -> Iterator[Rule]:
        """Queries, keys, values and output, each perhaps with a bias."""
        for part, heads, turned in (("q", self.heads, True), ("k", self.kv_heads, True), ("v", self.kv_heads, False)):
            rows = heads * self.head_width
            turn = heads if turned and self.pairs else 0
            yield Rule(f"{source}.{part}_proj.weight", f"{target}.attn_{part}.weight", (rows, self.width), heads=turn)
            yield Rule(f"{source}.{part}_proj.bias", f"{target}.attn_{part}.bias", (rows,), heads=turn, required=False)
        columns = self.heads * self.head_width
        yield Rule(f"{source}.o_proj.weight", f"{target}.attn_output.weight", (self.width, columns))
        yield Rule(f"{source}.o_proj.bias", f"{target}.attn_output.bias", (self.width,), required=False)
        if self.head_norms:
            yield self.norm(f"{source}.q_norm", f"{target}.attn_q_norm", self.head_width)
            yield self.norm(f"{source}.k_norm", f"{target}.attn_k_norm", self.head_width)

    def feed_forward(self, source: str, target: str) -> Iterator[Rule]:
        """The gated network of a block."""
        for part, rows, columns in (
            ("gate", self.inner, self.width),
            ("up", self.inner, self.width),
            ("down", self.width, self.inner),
        ):
            yield Rule(f"{source}.{part}_proj.weight", f"{target}.ffn_{part}.weight", (rows, columns))
            yield Rule(f"{source}.{part}_proj.bias", f"{target}.ffn_{part}.bias", (rows,), required=False)

    def metadata(self, out: Metadata) -> None:
        """Sizes, norms and rotary positions."""
        out.put("{}.context_length", self.config.count("max_position_embeddings"))
        out.put("{}.embedding_length", self.width)
        out.put("{}.block_count", self.blocks)
        out.put("{}.feed_forward_length", self.inner)
        out.put("{}.attention.head_count", self.heads)
        out.put("{}.attention.head_count_kv", self.kv_heads)
        out.put("{}.attention.key_length", self.head_width)
        out.put("{}.attention.value_length", self.head_width)
        out.put("{}.attention.layer_norm_rms_epsilon", self.config.number("rms_norm_eps", 1e-6))
        out.put("{}.rope.dimension_count", self.head_width)
        out.put("{}.vocab_size", self.vocabulary)
        rope_metadata(out, self.config, self.rope)

    def constants(self) -> Iterator[tuple[str, list[float]]]:
        """Llama 3's scaled frequencies."""
        if frequencies := rope_frequencies(self.rope, self.head_width):
            yield "rope_freqs.weight", frequencies
