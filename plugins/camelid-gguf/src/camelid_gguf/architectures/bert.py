"""BERT and Nomic's descendant of it, which make embeddings."""

from collections.abc import Iterator

from camelid_gguf.architectures.base import Architecture, Metadata, Rule
from camelid_gguf.architectures.pooling import pooling_of
from camelid_gguf.architectures.rope import rope_metadata, rope_of
from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder

__all__ = ("Bert", "NomicBert")


class Bert(Architecture):
    """Norms behind each layer, learned positions, no causal mask."""

    names = ("BertModel",)
    gguf = "bert"
    example = "all-MiniLM, bge-small, bge-base, bge-large"
    ignored = ("pooler.", "cls.", "embeddings.position_ids")

    def __init__(self, config: Document) -> None:
        super().__init__(config)
        self.inner = config.count("intermediate_size")
        self.kinds = config.count("type_vocab_size", 2)
        self.context = config.count("max_position_embeddings")
        self._check()

    def _check(self) -> None:
        self.require("hidden_act", equal="gelu")
        self.require("position_embedding_type", equal="absolute")

    def rename(self, name: str) -> str:
        """Without the name of the model around it; very old files have other names for a norm's parts."""
        name = name.removeprefix("bert.")
        return name.replace(".gamma", ".weight").replace(".beta", ".bias")

    def rules(self) -> Iterator[Rule]:
        """Embeddings, then blocks."""
        yield Rule("embeddings.word_embeddings.weight", "token_embd.weight", (self.vocabulary, self.width))
        yield Rule(
            "embeddings.position_embeddings.weight", "position_embd.weight", (self.context, self.width), exact=True
        )
        yield Rule(
            "embeddings.token_type_embeddings.weight", "token_types.weight", (self.kinds, self.width), exact=True
        )
        yield from self._both("embeddings.LayerNorm", "token_embd_norm", (self.width,))
        for number in range(self.blocks):
            source, target = f"encoder.layer.{number}", f"blk.{number}"
            for part in ("query", "key", "value"):
                yield from self._both(
                    f"{source}.attention.self.{part}", f"{target}.attn_{part[0]}", (self.width, self.width)
                )
            yield from self._both(f"{source}.attention.output.dense", f"{target}.attn_output", (self.width, self.width))
            yield from self._both(f"{source}.attention.output.LayerNorm", f"{target}.attn_output_norm", (self.width,))
            yield from self._both(f"{source}.intermediate.dense", f"{target}.ffn_up", (self.inner, self.width))
            yield from self._both(f"{source}.output.dense", f"{target}.ffn_down", (self.width, self.inner))
            yield from self._both(f"{source}.output.LayerNorm", f"{target}.layer_output_norm", (self.width,))

    @staticmethod
    def _both(source: str, target: str, shape: tuple[int, ...]) -> Iterator[Rule]:
        yield Rule(f"{source}.weight", f"{target}.weight", shape)
        yield Rule(f"{source}.bias", f"{target}.bias", shape[:1])

    def metadata(self, out: Metadata) -> None:
        """Sizes and norms."""
        out.put("{}.context_length", self.context)
        out.put("{}.embedding_length", self.width)
        out.put("{}.block_count", self.blocks)
        out.put("{}.feed_forward_length", self.inner)
        out.put("{}.attention.head_count", self.heads)
        out.put("{}.attention.layer_norm_epsilon", self.config.number("layer_norm_eps", 1e-12))
        out.put("{}.attention.causal", False)
        out.put("{}.vocab_size", self.vocabulary)
        out.put("tokenizer.ggml.token_type_count", self.kinds)

    def extras(self, out: Metadata, folder: SourceFolder) -> None:
        """How the vectors of a text's tokens become one."""
        out.put("{}.pooling_type", pooling_of(folder))


class NomicBert(Bert):
    """Rotary positions and a gated network without biases."""

    names = ("NomicBertModel",)
    gguf = "nomic-bert"
    example = "nomic-embed-text v1, v1.5"

    def __init__(self, config: Document) -> None:
        old = {
            "hidden_size": config.values.get("n_embd"),
            "num_hidden_layers": config.values.get("n_layer"),
            "num_attention_heads": config.values.get("n_head"),
            "intermediate_size": config.values.get("n_inner"),
            "max_position_embeddings": config.values.get("max_trained_positions", config.values.get("n_positions")),
            "layer_norm_eps": config.values.get("layer_norm_epsilon"),
            "rope_theta": config.values.get("rotary_emb_base"),
        }
        super().__init__(config.over(Document(config.name, old)))

    def _check(self) -> None:
        self.require("activation_function", equal="swiglu")
        self.require("prenorm", equal=False)
        self.require("rotary_emb_fraction", equal=1.0)
        self.require("rotary_emb_interleaved", equal=False)
        self.require("moe_every_n_layers", equal=0)
        self.require("qkv_proj_bias", equal=False)

    def rules(self) -> Iterator[Rule]:
        """Embeddings, then blocks."""
        wide = (self.width, self.width)
        yield Rule("embeddings.word_embeddings.weight", "token_embd.weight", (self.vocabulary, self.width))
        yield Rule(
            "embeddings.token_type_embeddings.weight", "token_types.weight", (self.kinds, self.width), exact=True
        )
        yield from self._both("emb_ln", "token_embd_norm", (self.width,))
        for number in range(self.blocks):
            source, target = f"encoder.layers.{number}", f"blk.{number}"
            yield Rule(f"{source}.attn.Wqkv.weight", f"{target}.attn_qkv.weight", (3 * self.width, self.width))
            yield Rule(f"{source}.attn.out_proj.weight", f"{target}.attn_output.weight", wide)
            yield from self._both(f"{source}.norm1", f"{target}.attn_output_norm", (self.width,))
            yield Rule(f"{source}.mlp.fc11.weight", f"{target}.ffn_up.weight", (self.inner, self.width))
            yield Rule(f"{source}.mlp.fc12.weight", f"{target}.ffn_gate.weight", (self.inner, self.width))
            yield Rule(f"{source}.mlp.fc2.weight", f"{target}.ffn_down.weight", (self.width, self.inner))
            yield from self._both(f"{source}.norm2", f"{target}.layer_output_norm", (self.width,))

    def metadata(self, out: Metadata) -> None:
        """The base of the rotary positions too."""
        super().metadata(out)
        rope_metadata(out, self.config, rope_of(self.config))
