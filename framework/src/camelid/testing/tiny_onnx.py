"""ONNX folders of a few hundred kilobytes: a language model for ONNX Runtime GenAI, and an encoder.

For tests of backends that load ONNX. The language model has no weights to speak of: it looks in its KV cache for the
longest stretch of tokens that ends as the text ends now, and says what followed there. So it goes on with patterns, as
large models do, and any mistake with positions or with the cache changes what it says. Its tokens are bytes.
"""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from camelid.testing.onnx_format import OnnxGraph, encode_model
from camelid.testing.tiny_paged import PAGED_INPUTS, paged_graph
from camelid.types.json import JsonObject

__all__ = (
    "BEGIN",
    "CHAT_TEMPLATE",
    "CONTEXT",
    "END",
    "VOCABULARY",
    "write_encoder",
    "write_language_model",
    "write_paged_model",
)

CONTEXT: Final = 2048
"""Tokens that the models were made for, as they say."""
BEGIN, START, END, PAD = 256, 257, 258, 259
VOCABULARY: Final = 260
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL: Final = {"<|begin|>": BEGIN, "<|im_start|>": START, "<|im_end|>": END, "<|pad|>": PAD}
_LONGEST_MATCH: Final = 24
"""Tokens that a stretch may have; longer ones count as this long."""
_SHARPNESS: Final = 2.0
_CERTAINTY: Final = 10.0
"""Logit of what followed; all others have 0."""
_WIDTH: Final = 32
_BLOCKS, _BLOCK_TOKENS = 1024, 16
"""Pages of the KV cache, and tokens that each holds."""


def write_language_model(folder: Path, *, rows: int = VOCABULARY) -> Path:
    """Write a model that goes on with patterns; the folder.

    Args:
        folder: made if need be.
        rows: tokens that it can be given; fewer than there are for one that fails to compute the others.
    """
    graph = OnnxGraph()
    cache = (1, 1, "past", VOCABULARY)
    graph.input("input_ids", np.int64, (1, "tokens"))
    graph.input("attention_mask", np.int64, (1, "total"))
    for kind in ("key", "value"):
        graph.input(f"past_key_values.0.{kind}", np.float32, cache)
    graph.constant("tokens_as_rows", np.eye(rows, VOCABULARY, dtype=np.float32), file="model.onnx.data")
    graph.constant("one", np.array([1], np.int64))
    graph.constant("two", np.array([2], np.int64))
    graph.constant("down_and_right", np.array([0, 0, 1, 1, 0, 0, -1, -1], np.int64))
    graph.constant("right", np.array([0, 0, 0, 1, 0, 0, 0, -1], np.int64))
    graph.constant("sharpness", np.array(_SHARPNESS, np.float32))
    graph.constant("certainty", np.array(_CERTAINTY, np.float32))
    graph.constant("above_zero", np.array(1, np.float32))
    graph.constant("never", np.array(-1e9, np.float32))
    graph.constant("end", np.array([2**31 - 1], np.int64))

    graph.node("Gather", ["tokens_as_rows", "input_ids"], "rows")
    graph.node("Unsqueeze", ["rows", "one"], "new")
    for kind in ("key", "value"):
        graph.node("Concat", [f"past_key_values.0.{kind}", "new"], f"present.0.{kind}", axis=2)
        graph.output(f"present.0.{kind}", np.float32, (1, 1, "total", VOCABULARY))
    history = "present.0.key"
    graph.node("Shape", ["input_ids"], "shape")
    matches = _matches(graph, history)
    # Column k is about token k: how long a stretch before it matches the one before the token to come.
    graph.node("Pad", [matches, "right"], "before")
    graph.node("Mul", ["before", "sharpness"], "scaled")
    graph.node("Add", ["scaled", "above_zero"], "positive")
    graph.node("Trilu", ["positive"], "past_only", upper=0)
    graph.node("Cast", ["past_only"], "is_past", to=9)
    graph.node("Where", ["is_past", "scaled", "never"], "scores")
    graph.node("Softmax", ["scores"], "attention", axis=-1)
    graph.node("MatMul", ["attention", history], "followers")
    graph.node("Gather", ["shape", "one"], "count", axis=0)
    graph.node("Neg", ["count"], "first_new")
    graph.node("Slice", ["followers", "first_new", "end", "two"], "of_new")
    graph.node("Squeeze", ["of_new", "one"], "answers")
    graph.node("Mul", ["answers", "certainty"], "logits")
    graph.output("logits", np.float32, (1, "tokens", VOCABULARY))

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(encode_model(graph))
    (folder / "model.onnx.data").write_bytes(graph.external)
    _write_json(folder / "genai_config.json", _genai_config())
    _write_tokenizer(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    return folder


def write_paged_model(folder: Path) -> Path:
    """Write a model that goes on with patterns, and whose KV cache is in pages; the folder.

    Only the runtime's dynamic engine can compute it. Its cache holds the tokens themselves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(encode_model(paged_graph(VOCABULARY, _BLOCKS, _BLOCK_TOKENS)))
    config = _genai_config()
    config["engine"] = {"dynamic_batching": {"block_size": _BLOCK_TOKENS, "num_blocks": _BLOCKS, "max_batch_size": 16}}
    config["search"] = {"max_length": CONTEXT, "do_sample": False}
    model = config["model"]
    assert isinstance(model, dict)  # noqa: S101 - for the type checker
    model["type"] = "decoder"
    model["decoder"] |= {"head_size": 1, "hidden_size": 1, "num_key_value_heads": 1, "inputs": PAGED_INPUTS}
    _write_json(folder / "genai_config.json", config)
    _write_tokenizer(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    return folder


def write_encoder(folder: Path, *, seed: int = 1) -> Path:
    """Write an encoder in the layout of Sentence Transformers; the folder. It knows which bytes, not their order."""
    graph = OnnxGraph()
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        graph.input(name, np.int64, ("inputs", "tokens"))
    random = np.random.default_rng(seed)
    graph.constant("table", random.standard_normal((VOCABULARY, _WIDTH), np.float32))
    graph.constant("types", random.standard_normal((2, _WIDTH), np.float32))
    graph.node("Gather", ["table", "input_ids"], "words")
    graph.node("Gather", ["types", "token_type_ids"], "kinds")
    graph.node("Add", ["words", "kinds"], "last_hidden_state")
    graph.output("last_hidden_state", np.float32, ("inputs", "tokens", _WIDTH))
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "onnx" / "model.onnx").write_bytes(encode_model(graph))
    config = {"model_type": "bert", "hidden_size": _WIDTH, "num_hidden_layers": 1, "max_position_embeddings": CONTEXT}
    _write_json(folder / "config.json", {**config, "vocab_size": VOCABULARY})
    modules = ("Transformer", "Pooling", "Normalize")
    _write_json(folder / "modules.json", [{"type": f"sentence_transformers.models.{name}"} for name in modules])
    _write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    _write_tokenizer(folder)
    return folder


def _matches(graph: OnnxGraph, history: str) -> str:
    """For each two places, how many tokens up to both are the same; the name of the value."""
    here = graph.node("Einsum", [history, history], "same_0", equation="bhid,bhjd->bhij")
    stretch = total = here
    for lag in range(1, _LONGEST_MATCH):
        here = graph.node("Pad", [here, "down_and_right"], f"same_{lag}")
        stretch = graph.node("Mul", [stretch, here], f"stretch_{lag}")
        total = graph.node("Add", [total, stretch], f"total_{lag}")
    return total


def _genai_config() -> JsonObject:
    return {
        "model": {
            "type": "llama",
            "vocab_size": VOCABULARY,
            "context_length": CONTEXT,
            "bos_token_id": BEGIN,
            "eos_token_id": [END],
            "pad_token_id": PAD,
            "decoder": {
                "filename": "model.onnx",
                "head_size": VOCABULARY,
                "hidden_size": VOCABULARY,
                "num_attention_heads": 1,
                "num_hidden_layers": 1,
                "num_key_value_heads": 1,
                "session_options": {"provider_options": []},
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {"max_length": CONTEXT, "past_present_share_buffer": False},
    }


def _write_tokenizer(folder: Path) -> None:
    """Bytes as tokens, in the way of GPT-2, with a begin token in front."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in plain]
    characters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(others)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    text: JsonObject = {"Sequence": {"id": "A", "type_id": 0}}
    begin: JsonObject = {"SpecialToken": {"id": "<|begin|>", "type_id": 0}}
    _write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "added_tokens": [{"id": token, "content": content, **flags} for content, token in _SPECIAL.items()],
            "pre_tokenizer": level,
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [begin, text],
                "pair": [begin, text, text],
                "special_tokens": {"<|begin|>": {"id": "<|begin|>", "ids": [BEGIN], "tokens": ["<|begin|>"]}},
            },
            "decoder": level,
            "model": {"type": "BPE", "vocab": {text: byte for byte, text in characters.items()}, "merges": []},
        },
    )
    tokens = {"bos_token": "<|begin|>", "eos_token": {"content": "<|im_end|>"}}
    _write_json(folder / "tokenizer_config.json", {**tokens, "model_max_length": CONTEXT})


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(value))
