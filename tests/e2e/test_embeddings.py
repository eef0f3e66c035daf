"""Embeddings over a real socket, with a model that was made for nothing else (contract 6)."""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

WIDTH, HIDDEN, CONTEXT = 64, 128, 64
WORDS = ["the", "cat", "sat", "on", "mat", "rates", "of", "a", "dog", "ran"]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"▁{word}" for word in WORDS)]
SPECIAL = 2
"""Tokens around each text: `[CLS]` and `[SEP]`."""


def write_bert(path: Path, **flags: bool) -> Path:
    """An encoder of one layer with random weights, which pools by the mean."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * len(WORDS))
    writer.add_token_type_count(2)
    writer.add_bos_token_id(TOKENS.index("[CLS]"))
    writer.add_sep_token_id(TOKENS.index("[SEP]"))
    for key, value in flags.items():
        writer.add_bool(key, value)
    shapes = {
        "token_embd.weight": (len(TOKENS), WIDTH),
        "token_types.weight": (2, WIDTH),
        "position_embd.weight": (CONTEXT, WIDTH),
    }
    linear = {f"attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    linear |= {"ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    for name, shape in linear.items():
        shapes |= {f"blk.0.{name}.weight": shape, f"blk.0.{name}.bias": shape[:1]}
    for name in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    for name, shape in shapes.items():
        ones = name.endswith("norm.weight")
        writer.add_tensor(name, np.ones(shape, np.float32) if ones else random.normal(0, 0.3, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def server(server, tmp_path_factory) -> Iterator[object]:
    """The server of the file, with the models `bert` and `raw`: the second asks not to be normalised."""
    folder = tmp_path_factory.mktemp("bert")
    for name, flags in (("bert", {}), ("raw", {"bert.normalize_embeddings": False})):
        content = write_bert(folder / f"{name}.gguf", **flags).read_bytes()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        server.http.post(f"/api/blobs/{digest}", content=content).raise_for_status()
        server.post("/api/create", model=name, files={f"{name}.gguf": digest}, stream=False).raise_for_status()
    return server


def embed(server, texts, model="bert", **fields) -> dict:
    answer = server.post("/api/embed", model=model, input=texts, **fields)
    assert answer.is_success, answer.text
    return answer.json()


def texts(count: int) -> list[str]:
    return [
        " ".join(WORDS[(number * 7 + place) % len(WORDS)] for place in range(number % 9 + 1)) for number in range(count)
    ]


def test_an_encoder_can_embed_and_says_so(server):
    shown = server.post("/api/show", model="bert").json()
    assert shown["capabilities"] == ["embedding"]
    assert shown["model_info"]["bert.embedding_length"] == WIDTH
    refused = server.post("/api/chat", model="bert", messages=[{"role": "user", "content": "the cat"}])
    assert (refused.status_code, refused.json()) == (400, {"error": '"bert" does not support chat'})


def test_thirty_texts_at_once_are_as_thirty_texts_one_by_one(server):
    together = embed(server, texts(30))
    alone = [embed(server, text) for text in texts(30)]
    assert len(together["embeddings"]) == 30
    assert together["prompt_eval_count"] == sum(one["prompt_eval_count"] for one in alone)
    assert together["prompt_eval_count"] == sum(len(text.split()) + SPECIAL for text in texts(30))
    for vector, one in zip(together["embeddings"], alone, strict=True):
        assert vector == pytest.approx(one["embeddings"][0], abs=1e-5)
        assert math.hypot(*vector) == pytest.approx(1)
    first, second, *_ = together["embeddings"]
    assert first != pytest.approx(second, abs=1e-2)


def test_dimensions_are_cut_and_normalised_again(server):
    (whole,) = embed(server, "the cat sat")["embeddings"]
    (cut,) = embed(server, "the cat sat", dimensions=10)["embeddings"]
    assert len(whole) == WIDTH
    scale = math.hypot(*whole[:10])
    assert cut == pytest.approx([number / scale for number in whole[:10]], abs=1e-6)
    assert embed(server, "the cat sat", dimensions=WIDTH + 1)["embeddings"] == [whole]


def test_an_empty_text_in_a_list_has_a_vector_and_no_text_has_none(server):
    answer = embed(server, ["", "the"])
    assert [len(vector) for vector in answer["embeddings"]] == [WIDTH, WIDTH]
    assert answer["prompt_eval_count"] == 2 * SPECIAL + 1
    for nothing in ("", [], None):
        assert embed(server, nothing) == {"model": "bert", "embeddings": []}


def test_what_is_too_long_is_cut_unless_the_client_forbids_it(server):
    long = " ".join(["cat"] * 200)
    cut = embed(server, ["the", long])
    assert cut["prompt_eval_count"] == 1 + SPECIAL + CONTEXT
    fits = " ".join(["cat"] * (CONTEXT - SPECIAL))
    assert cut["embeddings"][1] == pytest.approx(embed(server, fits)["embeddings"][0], abs=1e-5)
    answer = server.post("/api/embed", model="bert", input=["the", long], truncate=False)
    assert (answer.status_code, answer.json()) == (400, {"error": "the input length exceeds the context length"})
    exact = server.post("/api/embed", model="bert", input=fits, truncate=False)
    assert exact.json()["prompt_eval_count"] == CONTEXT


def test_the_older_endpoint_normalises_unless_the_file_says_not_to(server):
    def older(model: str, prompt: str = "the cat sat") -> list[float]:
        answer = server.post("/api/embeddings", model=model, prompt=prompt)
        answer.raise_for_status()
        assert list(answer.json()) == ["embedding"]
        return answer.json()["embedding"]

    (unit,) = embed(server, "the cat sat")["embeddings"]
    assert older("bert") == pytest.approx(unit, abs=1e-6)
    raw = older("raw")
    length = math.hypot(*raw)
    assert length != pytest.approx(1, abs=0.01)
    assert [number / length for number in raw] == pytest.approx(unit, abs=1e-5)
    assert older("bert", "") == []
    answer = server.post("/api/embeddings", model="bert", prompt=" ".join(["cat"] * 200))
    assert (answer.status_code, answer.json()) == (500, {"error": "the input length exceeds the context length"})


def test_a_chat_model_embeds_too(server):
    answer = embed(server, ["Hello.", "Good bye."], model="smollm2:135m")
    assert [math.hypot(*vector) for vector in answer["embeddings"]] == pytest.approx([1, 1])
    assert answer["load_duration"] > 0
