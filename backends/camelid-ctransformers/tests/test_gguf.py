"""GGUF files: rewritten once, computed as llama.cpp computes them, refused with the reason."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from llama_cpp import llama_cpp

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.testing.tiny_gguf import write_language_model
from camelid.types import ModelFile
from camelid_ctransformers.cache import RewrittenFiles, cache_folders
from camelid_ctransformers.gguf_file import read_gguf
from camelid_ctransformers.rewriting import check_computable, needs_rewriting, plan_rewriting

_PROMPT = "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"
_TOKENS = 24


def _reference(path: Path, prompt: list[int], count: int) -> tuple[list[int], np.ndarray]:
    """What llama.cpp says after a prompt: the likeliest tokens, and the logits of each step."""
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx, parameters.n_threads, parameters.n_threads_batch = 256, 1, 1
    context = llama_cpp.llama_init_from_model(model, parameters)
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    said, logits, tokens = [], [], prompt
    try:
        for _ in range(count):
            array = (llama_cpp.llama_token * len(tokens))(*tokens)
            assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))) == 0
            logits.append(np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (size,)).copy())
            said.append(int(logits[-1].argmax()))
            tokens = said[-1:]
    finally:
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)
    return said, np.stack(logits)


def _divergence(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """KL divergence of each row, in nats."""
    ours, theirs = (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True) for rows in (ours, theirs))
    return np.sum(np.exp(theirs) * (theirs - ours), axis=1)


@pytest.mark.parametrize("which", ["smollm2", "tiny", "falcon"])
def test_the_logits_are_those_of_llama_cpp(load, tokenizer_of, smollm2, tmp_path, which):
    write = {"tiny": write_language_model, "falcon": _write_falcon}
    path = smollm2 if which == "smollm2" else write[which](tmp_path / "model.gguf")
    model = load(path)
    prompt = tokenizer_of(model, path).encode(_PROMPT, add_special=True, parse_special=True)
    said, theirs = _reference(path, prompt, _TOKENS)
    decoder = model.decoder()
    rows = [decoder.feed(prompt).astype(np.float64)]
    rows += [decoder.feed([token]).astype(np.float64) for token in said[:-1]]
    ours = np.stack(rows)
    divergence = _divergence(ours, theirs.astype(np.float64))
    same = ours.argmax(axis=1) == np.array(said)
    print(f"{which}: KL mean {divergence.mean():.2e}, most {divergence.max():.2e}; top-1 {same.mean():.0%}")  # noqa: T201 - worth reading
    assert divergence.mean() < 0.01
    assert same.mean() > 0.9


def _write_falcon(path: Path) -> Path:
    """A tiny Falcon, whose layers have one head of keys for all heads, and biases in their norms only."""
    width, heads, layers, tokens = 64, 4, 2, 300
    random = np.random.default_rng(5)
    writer = gguf.GGUFWriter(path, "falcon")
    writer.add_context_length(256)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(4 * width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"<0x{token:02X}>" if token < 256 else f"w{token}" for token in range(tokens)])
    writer.add_token_scores([0.0] * tokens)
    writer.add_token_types([gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * (tokens - 256))
    shapes = {"token_embd.weight": (tokens, width), "output.weight": (tokens, width)}
    for layer in range(layers):
        shapes[f"blk.{layer}.attn_qkv.weight"] = (width + 2 * width // heads, width)
        shapes[f"blk.{layer}.attn_output.weight"] = (width, width)
        shapes[f"blk.{layer}.ffn_up.weight"] = (4 * width, width)
        shapes[f"blk.{layer}.ffn_down.weight"] = (width, 4 * width)
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(0, 1.5 / np.sqrt(shape[1]), shape).astype(np.float32))
    for norm in ("output_norm", *(f"blk.{layer}.attn_norm" for layer in range(layers))):
        writer.add_tensor(f"{norm}.weight", np.ones(width, np.float32))
        writer.add_tensor(f"{norm}.bias", np.full(width, 0.1, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_of_its_time_is_used_as_it_is(load, tmp_path):
    path = write_language_model(tmp_path / "model.gguf")
    with path.open("rb") as source, (tmp_path / "old.gguf").open("wb") as target:
        plan_rewriting(read_gguf(path, "model"), 367).write(source, target)
    cached = cache_folders(path)[0]
    new, before = load(path), len(list(cached.iterdir()))
    old = load(tmp_path / "old.gguf")
    assert len(list(cached.iterdir())) == before
    assert np.array_equal(old.decoder().feed([3, 300, 301]), new.decoder().feed([3, 300, 301]))


def test_facts_are_those_of_the_file(load, smollm2):
    facts = load(smollm2).facts
    assert (facts.architecture, facts.vocabulary_size, facts.trained_context) == ("llama", 49152, 8192)
    assert (facts.layers, facts.embedding_length) == (30, 576)
    assert (facts.bos_token, facts.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert "<|im_start|>" in facts.chat_template


def test_a_rewritten_file_is_a_sound_one(tmp_path):
    path = write_language_model(tmp_path / "model.gguf")
    found = read_gguf(path, "model")
    assert needs_rewriting(found)
    rewriting = plan_rewriting(found, 300)
    with path.open("rb") as source, (tmp_path / "new.gguf").open("wb") as target:
        rewriting.write(source, target)
    assert (tmp_path / "new.gguf").stat().st_size == rewriting.size
    again = read_gguf(tmp_path / "new.gguf", "model")
    assert again.version == 2
    assert not needs_rewriting(again)
    before = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    after = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "new.gguf").tensors}
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_tied_output_is_the_embedding(smollm2, tmp_path):
    found = read_gguf(smollm2, "model")
    assert "output.weight" not in found.tensors
    with smollm2.open("rb") as source, (tmp_path / "new.gguf").open("wb") as target:
        plan_rewriting(found, 49152).write(source, target)
    again = read_gguf(tmp_path / "new.gguf", "model")
    embedding, output = (again.tensors[name] for name in ("token_embd.weight", "output.weight"))
    content = (tmp_path / "new.gguf").read_bytes()
    assert (embedding.kind, embedding.shape) == (output.kind, output.shape)
    assert content[embedding.offset :][: embedding.size] == content[output.offset :][: output.size]


@pytest.fixture
def store(tmp_path):
    """A store with the blob of a tiny model."""
    blobs = tmp_path / "models" / "blobs"
    blobs.mkdir(parents=True)
    blob = write_language_model(blobs / "sha256-aa")
    return ModelFile(path=str(blob), digest="sha256:aa")


def _obtain(file: ModelFile, limit: int = 1) -> Path:
    folder = cache_folders(Path(file.path))[0]
    return RewrittenFiles(folder, limit).obtain(file, plan_rewriting(read_gguf(Path(file.path), "model"), 300))


def test_a_file_is_rewritten_once_and_beside_its_store(store, tmp_path):
    made = _obtain(store)
    assert made == tmp_path / "models" / ".camelid" / "ctransformers" / "sha256-aa.gguf"
    inode = made.stat().st_ino
    assert _obtain(store).stat().st_ino == inode
    made.write_bytes(made.read_bytes()[:-1])
    assert _obtain(store).stat().st_ino != inode
    assert [path.name for path in made.parent.iterdir()] == ["sha256-aa.gguf"]


def test_what_belongs_to_no_blob_goes_when_the_next_is_made(store):
    made = _obtain(store)
    orphan, young = made.with_name("sha256-bb.gguf"), made.with_name("new.part")
    orphan.write_bytes(b"x")
    young.write_bytes(b"x")
    made.unlink()
    _obtain(store)
    assert made.exists()
    assert not orphan.exists()
    assert young.exists()


def test_what_was_used_longest_ago_goes_when_there_is_too_much(store):
    made = _obtain(store)
    other = made.with_name("path-cc.gguf")
    other.write_bytes(b"x")
    made.unlink()
    _obtain(store, limit=0)
    assert made.exists()
    assert not other.exists()


def test_where_nothing_can_be_written_the_users_cache_is_used(load, tmp_path, monkeypatch):
    blobs = tmp_path / "models" / "blobs"
    blobs.mkdir(parents=True)
    (tmp_path / "models" / ".camelid").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    load(write_language_model(blobs / "sha256-aa"))
    assert len(list((tmp_path / "own" / "camelid" / "ctransformers").iterdir())) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "models" / ".camelid"))
    with pytest.raises(ModelLoadError, match="could be written nowhere"):
        load(tmp_path / "models" / "blobs" / "sha256-aa")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"general.architecture": b"qwen2"}, "no architecture 'qwen2'"),
        ({"llama.expert_count": 8}, "mixture of experts"),
        ({"llama.rope.dimension_count": 8}, "its rope.dimension_count is 8"),
        ({"llama.rope.scaling.type": b"yarn"}, "scaled by 'yarn'"),
        ({"llama.attention.head_count_kv": [4, 2]}, "different numbers of heads"),
    ],
)
def test_what_the_library_would_compute_wrongly_is_refused(tmp_path, change, why):
    found = read_gguf(write_language_model(tmp_path / "model.gguf"), "model 'x'")
    check_computable(found)
    if "general.architecture" in change:
        change |= {key.replace("llama.", "qwen2."): value for key, value in found.metadata.items() if "llama." in key}
    found.metadata.update(change)
    with pytest.raises(ModelLoadError, match=why):
        check_computable(found)


def test_a_tensor_that_came_later_is_named(tmp_path):
    found = read_gguf(write_language_model(tmp_path / "model.gguf"), "model 'x'")
    found.tensors["rope_freqs.weight"] = found.tensors.pop("output.weight")
    with pytest.raises(ModelLoadError, match=r"cannot compute model 'x': it has the tensor 'rope_freqs.weight'"):
        check_computable(found)
    del found.tensors["rope_freqs.weight"], found.tensors["blk.0.attn_q.weight"]
    with pytest.raises(ModelLoadError, match=r"the tensor 'blk.0.attn_q.weight' is missing"):
        check_computable(found)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.999])
def test_half_a_file_is_refused_in_python(load, tmp_path, share):
    content = write_language_model(tmp_path / "model.gguf").read_bytes()
    (tmp_path / "model.gguf").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InvalidModelFileError, match=r"damaged|no GGML file"):
        load(tmp_path / "model.gguf")


def test_numbers_that_promise_too_much_are_refused(load, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**40, 1))
    with pytest.raises(InvalidModelFileError, match="too many entries"):
        load(path)
    key = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 4, 2**60)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key)
    with pytest.raises(InvalidModelFileError, match="ends where an array"):
        load(path)
