"""Phi 3 and 4."""

import math
from collections.abc import Iterator

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.architectures.base import Metadata, Rule
from camelid_gguf.architectures.decoder import Decoder
from camelid_gguf.architectures.rope import original_context
from camelid_gguf.documents import Document

__all__ = ("Phi3",)

LONG = frozenset({"longrope", "su"})


class Phi3(Decoder):
    """Queries, keys and values are one matrix, and so are gate and up. Long contexts have factors of their own."""

    names = ("Phi3ForCausalLM",)
    gguf = "phi3"
    example = "Phi 3, Phi 3.5 mini, Phi 4 (mini)"

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        self.rotated = int(self.head_width * self.rope.number("partial_rotary_factor", 1.0))
        self.long = self.rope.text("rope_type") in LONG
        if self.rope.text("rope_type") not in {"", "default", *LONG}:
            raise UnsupportedCapabilityError(f'unsupported rope scaling "{self.rope.text("rope_type")[:40]}"')

    def attention(self, source: str, target: str) -> Iterator[Rule]:
        """Two matrices."""
        rows = (self.heads + 2 * self.kv_heads) * self.head_width
        yield Rule(f"{source}.qkv_proj.weight", f"{target}.attn_qkv.weight", (rows, self.width))
        columns = self.heads * self.head_width
        yield Rule(f"{source}.o_proj.weight", f"{target}.attn_output.weight", (self.width, columns))

    def feed_forward(self, source: str, target: str) -> Iterator[Rule]:
        """Two matrices."""
        yield Rule(f"{source}.gate_up_proj.weight", f"{target}.ffn_up.weight", (2 * self.inner, self.width))
        yield Rule(f"{source}.down_proj.weight", f"{target}.ffn_down.weight", (self.width, self.inner))

    def metadata(self, out: Metadata) -> None:
        """The trained context, and the scale of attention that goes with the long one."""
        plain = Document(self.rope.name, {**self.rope.values, "rope_type": ""})
        scaled, self.rope = self.rope, plain
        super().metadata(out)
        self.rope = scaled
        out.put("{}.rope.dimension_count", self.rotated)
        trained = original_context(self.config, self.rope)
        out.put("{}.rope.scaling.original_context_length", trained)
        # Zero tells llama.cpp apart the models that have no window.
        out.put("{}.attention.sliding_window", self.config.count("sliding_window", 0, least=0))
        if self.long:
            scale = self.config.count("max_position_embeddings") / trained
            usual = math.sqrt(1 + math.log(scale) / math.log(trained)) if scale > 1 else 1.0
            out.put("{}.rope.scaling.attn_factor", self.rope.number("attention_factor", usual))

    def constants(self) -> Iterator[tuple[str, list[float]]]:
        """A factor for each rotated pair: one set for long contexts, one for short ones."""
        if self.long:
            for name in ("long", "short"):
                factors = self.rope.numbers(f"{name}_factor")
                if len(factors) != self.rotated // 2:
                    raise InvalidModelFileError(
                        f"{self.rope.name}: {name}_factor must have {self.rotated // 2} numbers"
                    )
                yield f"rope_factors_{name}.weight", factors
