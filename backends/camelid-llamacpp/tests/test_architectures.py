"""Models of other kinds, a few kilobytes each: what their memory cannot do is not promised."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

from camelid.errors import InvalidModelFileError
from camelid.types import Capability, LoadOptions, ModelArtifact, ModelFile
from camelid_llamacpp.backend import LlamaModel

WIDTH, HIDDEN, HEADS = 32, 64, 2
CONTEXT = 48
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = ["▁the", "▁cat", "▁sat", "▁on", "▁mat", "▁rates"]
PIECES = sorted({word[:end] for word in WORDS for end in range(1, len(word) + 1)})  # merged letter by letter
SENTENCEPIECE = ["<unk>", "<s>", "</s>", *BYTES, *PIECES]
THE, CAT, SAT = map(SENTENCEPIECE.index, WORDS[:3])

Shapes = dict[str, tuple[int, ...]]


def _write(path: Path, architecture: str, shapes: Shapes, *, tensors_a_file: int = 0, **metadata: object) -> Path:
    """A GGUF file with random weights; or several, `NAME-00001-of-00003.gguf` and so on."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=tensors_a_file)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(metadata.pop("block_count", 1))
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    for key, value in metadata.items():
        if value is not None:
            getattr(writer, f"add_{key}")(*(value if isinstance(value, tuple) else (value,)))
    for name, shape in shapes.items():
        values = random.normal(0.0, 0.3, shape).astype(np.float32)
        if name.endswith("norm.weight"):
            values = np.ones(shape, np.float32)
        if name == "blk.0.ssm_a":
            values = -np.abs(values)
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _sentencepiece() -> dict[str, object]:
    types = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    return {
        "tokenizer_model": "llama",
        "token_list": SENTENCEPIECE,
        "token_scores": [float(len(token)) for token in SENTENCEPIECE],
        "token_types": types + [gguf.TokenType.NORMAL] * len(PIECES),
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def _llama(path: Path, **metadata: object) -> Path:
    shapes: Shapes = {"token_embd.weight": (len(SENTENCEPIECE), WIDTH), "output_norm.weight": (WIDTH,)}
    block: Shapes = {
        "attn_norm.weight": (WIDTH,),
        "ffn_norm.weight": (WIDTH,),
        "ffn_gate.weight": (HIDDEN, WIDTH),
        "ffn_up.weight": (HIDDEN, WIDTH),
        "ffn_down.weight": (WIDTH, HIDDEN),
        **{f"attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
    }
    shapes |= {f"blk.0.{name}": shape for name, shape in block.items()}
    return _write(path, "llama", shapes, layer_norm_rms_eps=1e-5, **{**_sentencepiece(), **metadata})


def _without_vocabulary(path: Path) -> Path:
    return _llama(path, tokenizer_model="no_vocab", vocab_size=len(SENTENCEPIECE))


def _bert(path: Path, **metadata: object) -> Path:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    shapes: Shapes = {
        "token_embd.weight": (len(tokens), WIDTH),
        "token_types.weight": (2, WIDTH),
        "position_embd.weight": (CONTEXT, WIDTH),
    }
    linear: Shapes = {f"attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    linear |= {"ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    for name, shape in linear.items():
        shapes |= {f"blk.0.{name}.weight": shape, f"blk.0.{name}.bias": shape[:1]}
    for name in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    return _write(
        path,
        "bert",
        shapes,
        layer_norm_eps=1e-5,
        causal_attention=False,
        tokenizer_model="bert",
        token_list=tokens,
        token_types=[gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * len(WORDS),
        token_type_count=2,
        **{"bos_token_id": 2, "sep_token_id": 3, **metadata},
    )


def _gemma_embedding(path: Path, *, layers: int, **metadata: object) -> Path:
    head = WIDTH // HEADS
    shapes: Shapes = {"token_embd.weight": (len(SENTENCEPIECE), WIDTH), "output_norm.weight": (WIDTH,)}
    block: Shapes = {
        **{f"{name}.weight": (WIDTH,) for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")},
        **{f"attn_{name}_norm.weight": (head,) for name in ("q", "k")},
        "ffn_gate.weight": (HIDDEN, WIDTH),
        "ffn_up.weight": (HIDDEN, WIDTH),
        "ffn_down.weight": (WIDTH, HIDDEN),
        **{f"attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
    }
    shapes |= {f"blk.{layer}.{name}": shape for layer in range(layers) for name, shape in block.items()}
    described = {"block_count": layers, "sliding_window": 8, "pooling_type": gguf.PoolingType.MEAN}
    return _write(
        path, "gemma-embedding", shapes, layer_norm_rms_eps=1e-5, **{**described, **_sentencepiece(), **metadata}
    )


def _mamba(path: Path) -> Path:
    inner, state, rank, kernel = 2 * WIDTH, 8, 4, 4
    shapes: Shapes = {
        "token_embd.weight": (len(SENTENCEPIECE), WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ssm_in.weight": (2 * inner, WIDTH),
        "blk.0.ssm_conv1d.weight": (inner, kernel),
        "blk.0.ssm_conv1d.bias": (inner,),
        "blk.0.ssm_x.weight": (rank + 2 * state, inner),
        "blk.0.ssm_dt.weight": (inner, rank),
        "blk.0.ssm_dt.bias": (inner,),
        "blk.0.ssm_a": (inner, state),
        "blk.0.ssm_d": (inner,),
        "blk.0.ssm_out.weight": (WIDTH, inner),
    }
    sizes = {"ssm_conv_kernel": kernel, "ssm_inner_size": inner, "ssm_state_size": state, "ssm_time_step_rank": rank}
    return _write(path, "mamba", shapes, layer_norm_rms_eps=1e-5, **sizes, **_sentencepiece())


@pytest.fixture
def opened(load, tmp_path) -> Iterator[Callable[..., LlamaModel]]:
    """Write a model with one of the functions above and load it."""
    models: list[LlamaModel] = []

    def write_and_load(write: Callable[..., Path], *, metadata: dict[str, object] | None = None, **options: object):
        path = write(tmp_path / f"{len(models)}.gguf", **(metadata or {}))
        models.append(load(path, **{"context_length": CONTEXT, "parallel": 2, **options}))
        return models[-1]

    yield write_and_load
    for model in models:
        model.close()


def test_a_begin_token_and_a_space_are_added_where_the_model_wants_them(opened):
    tokenizer = opened(_llama).tokenizer()
    tokens = tokenizer.encode("the cat!", add_special=True, parse_special=False)
    assert tokens == [1, THE, CAT, 3 + ord("!")]
    assert tokenizer.decode(tokens) == b" the cat!"


@pytest.mark.parametrize(
    "end",
    ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<|eom_id|>"],
)
def test_a_turn_ends_at_its_familys_token_also_where_the_file_names_another_end(opened, end):
    """What Ollama's autodetected templates add as stop strings."""
    tokens = [*SENTENCEPIECE[:-1], end]
    types = [*_sentencepiece()["token_types"][:-1], gguf.TokenType.CONTROL]
    metadata = {"token_list": tokens, "token_types": types, "token_scores": [0.0] * len(tokens)}
    tokenizer = opened(_llama, metadata=metadata).tokenizer()
    assert tokenizer.end_tokens == {2, len(tokens) - 1}


def test_a_model_may_lie_in_several_files_of_any_name(opened, new_driver, tmp_path):
    logits = new_driver(opened(_llama).decoder()).feed({0: [1, THE, CAT]})[0]
    _llama(tmp_path / "model.gguf", tensors_a_file=5)
    parts = sorted(tmp_path.glob("model-*.gguf"))
    assert len(parts) > 1
    files = []
    for part in parts:
        blob = part.rename(tmp_path / f"sha256-{len(files)}")
        files.append(ModelFile(path=str(blob)))
    options = LoadOptions(context_length=CONTEXT, parallel=2, batch_tokens=64)
    model = LlamaModel(ModelArtifact(name="parts", format="gguf", files=tuple(files)), options)
    assert np.array_equal(new_driver(model.decoder()).feed({0: [1, THE, CAT]})[0], logits)
    model.close()


def test_without_a_vocabulary_tokenizing_is_left_to_others(opened):
    model = opened(_without_vocabulary)
    assert model.tokenizer() is None
    assert Capability.TOKENIZE not in model.facts.capabilities
    assert model.decoder() is not None


def test_suppressed_tokens_are_never_chosen(opened, new_driver):
    free = new_driver(opened(_llama).decoder()).feed({0: [1, THE]})[0]
    best = int(free.argmax())
    model = opened(_llama, metadata={"array": ("tokenizer.ggml.suppress_tokens", [best])})
    logits = new_driver(model.decoder()).feed({0: [1, THE]})[0]
    assert logits[best] == -np.inf
    assert np.isfinite(np.delete(logits, best)).all()


def test_an_encoder_only_embeds(opened):
    model = opened(_bert, metadata={"pooling_type": gguf.PoolingType.MEAN}, context_length=4096)
    assert model.facts.capabilities == {Capability.ADAPTERS, Capability.EMBEDDING, Capability.TOKENIZE}
    assert model.facts.context_length == CONTEXT  # it has learned no further positions
    assert model.decoder() is None
    assert model.embedder().max_tokens == CONTEXT


@pytest.mark.parametrize("pooling", [gguf.PoolingType.MEAN, gguf.PoolingType.CLS, None])
def test_an_encoder_embeds_a_batch_as_its_parts(opened, pooling):
    metadata = {} if pooling is None else {"pooling_type": pooling}
    embedder = opened(_bert, metadata=metadata, batch_tokens=16).embedder()
    inputs = [[2, 5, 6, 3], [2, 7, 3], [2, *[8, 9] * 10, 3], [2, 10, 3]]
    together = embedder.embed(inputs)
    alone = np.concatenate([embedder.embed([tokens]) for tokens in inputs])
    assert together.shape == (4, WIDTH)
    assert np.allclose(together, alone, atol=0.02)
    assert not np.allclose(together[0], together[1], atol=0.1)


def test_an_encoder_looks_ahead(opened):
    embedder = opened(_bert, metadata={"pooling_type": gguf.PoolingType.CLS}).embedder()
    first, second = embedder.embed([[2, 5, 6, 3], [2, 5, 7, 3]])
    assert not np.allclose(first, second, atol=0.01)


def test_a_ranking_model_embeds_nothing(opened):
    model = opened(_bert, metadata={"pooling_type": gguf.PoolingType.RANK})
    assert Capability.EMBEDDING not in model.facts.capabilities
    assert model.embedder() is None


def test_last_token_pooling_may_be_computed_in_pieces(opened):
    metadata = {"pooling_type": gguf.PoolingType.LAST}
    tokens = [1, *[THE, CAT, SAT] * 12]
    model = opened(_llama, metadata=metadata, batch_tokens=8)
    assert model.decoder() is None
    pieces = model.embedder().embed([tokens])
    whole = opened(_llama, metadata=metadata, batch_tokens=64).embedder().embed([tokens])
    assert np.allclose(pieces, whole, atol=0.02)


def test_a_recurrent_state_cannot_be_cut(opened, new_driver):
    model = opened(_mamba)
    assert Capability.COMPLETION in model.facts.capabilities
    assert Capability.PREFIX_SHARING not in model.facts.capabilities
    decoder = model.decoder()
    driver = new_driver(decoder)
    tokens = [1, THE, CAT, SAT]
    logits = driver.feed({0: tokens})[0]
    assert not decoder.trim(0, 2)
    assert not decoder.copy_prefix(0, 1, 2)
    assert not decoder.shift(0, 1, 1)
    assert decoder.trim(0, 0)
    driver.lengths[0] = 0
    assert np.allclose(driver.feed({0: tokens})[0], logits, atol=0.01)


def test_a_recurrent_state_can_be_saved(opened, new_driver):
    decoder = opened(_mamba).decoder()
    driver = new_driver(decoder)
    driver.feed({0: [1, THE, CAT]})
    decoder.restore(1, decoder.save(0))
    driver.lengths[1] = 3
    logits = driver.feed({0: [SAT], 1: [SAT]})
    assert np.allclose(logits[0], logits[1], atol=0.01)


def test_an_encoder_with_both_kinds_of_layers_embeds(opened):
    pattern = {"sliding_window_pattern": [True, False]}
    for metadata in ({"layers": 6}, {"layers": 2, **pattern}, {"layers": 2, "sliding_window_pattern": 2}):
        vectors = opened(_gemma_embedding, metadata=metadata).embedder().embed([[1, THE, CAT, 2], [1, SAT, 2]])
        assert np.isfinite(vectors).all()


@pytest.mark.parametrize(
    ("write", "metadata", "words"),
    [
        (_bert, {"bos_token_id": None}, r"\[CLS\] most often"),
        (_bert, {"sep_token_id": None}, r"\[SEP\] most often"),
        (_gemma_embedding, {"layers": 2}, "2 in all, each looks near by, and none at all tokens"),
        (
            _gemma_embedding,
            {"layers": 2, "description": "not gemma-embedding.attention.sliding_window_pattern"},
            "2 in all, each looks near by, and none at all tokens",
        ),
        (_gemma_embedding, {"layers": 2, "sliding_window_pattern": 1}, "2 in all, each looks at all tokens, and none"),
    ],
)
def test_a_file_that_would_end_the_process_is_refused(opened, write, metadata, words):
    with pytest.raises(InvalidModelFileError, match=words):
        opened(write, metadata=metadata)
