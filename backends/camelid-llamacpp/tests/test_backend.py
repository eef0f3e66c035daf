"""Loading: facts, memory, options, broken files, and giving everything back."""

import subprocess
import sys
import textwrap

import pytest

from camelid.errors import (
    InvalidModelFileError,
    ModelError,
    ModelLoadError,
    ModelMemoryError,
)
from camelid.types import Capability


def test_facts_are_the_files_own(model):
    facts = model.facts
    assert facts.architecture == "llama"
    assert facts.vocabulary_size == 49152
    assert facts.trained_context == 8192
    assert facts.context_length == 64
    assert facts.embedding_length == 576
    assert facts.layers == 30
    assert facts.parameter_count == 134_515_008
    assert facts.chat_template.startswith("{% for message in messages %}")
    assert (facts.bos_token, facts.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert {Capability.COMPLETION, Capability.EMBEDDING, Capability.PREFIX_SHARING} <= facts.capabilities


def test_memory_is_known_after_loading_and_given_back(load):
    model = load()
    (loaded,) = model.memory()
    assert loaded.device == "cpu"
    assert 90_000_000 < loaded.model < 110_000_000
    decoder = model.decoder()
    assert loaded.cache == pytest.approx(_cache_bytes(decoder, bits=16), rel=0.01)
    assert loaded.compute > 0
    assert model.memory() == (loaded,)
    embedder = model.embedder()
    (with_embedder,) = model.memory()
    assert with_embedder.cache > loaded.cache
    decoder.close()
    embedder.close()
    (weights,) = model.memory()
    assert (weights.model, weights.cache, weights.compute) == (loaded.model, 0, 0)
    model.close()


def _cache_bytes(decoder, *, bits) -> float:
    """K and V, 192 wide, in 30 layers."""
    return 2 * 192 * 30 * decoder.limits.cells * bits / 8


@pytest.mark.parametrize(("cache_type", "bits"), [("q8_0", 8.5), ("q4_0", 4.5)])
def test_the_cache_type_decides_its_size(load, cache_type, bits):
    model = load(cache_type=cache_type)
    (use,) = model.memory()
    assert use.cache == pytest.approx(_cache_bytes(model.decoder(), bits=bits), rel=0.01)
    model.close()


def test_limits_are_those_of_the_context(load):
    model = load(context_length=100, parallel=3, batch_tokens=32)
    limits = model.decoder().limits
    assert (limits.sequences, limits.context_length, limits.batch_tokens) == (3, 100, 32)
    assert limits.cells >= 300
    model.close()


def test_a_second_decoder_has_a_cache_of_its_own(load):
    model = load()
    first, second = model.decoder(), model.decoder()
    first.close()
    assert second.trim(0, 0)
    model.close()


def test_an_unknown_cache_type_is_refused(load):
    with pytest.raises(ModelLoadError, match="q8_0"):
        load(cache_type="q99")


def test_a_context_that_cannot_be_says_why(load):
    with pytest.raises(ModelError) as caught:
        load(cache_type="q4_0", flash_attention=False)
    assert "flash_attn" in caught.value.reason


def test_a_context_beyond_counting_is_refused(load):
    with pytest.raises(ModelMemoryError):
        load(context_length=2**30, parallel=4)


def test_own_options_are_checked(load):
    with pytest.raises(ModelLoadError, match="unknown field `colour`"):
        load(backend={"colour": 1})


def test_own_options_are_taken(load):
    model = load(backend={"batch_threads": 1, "check_tensors": True}, memory_map=False, threads=1)
    assert model.decoder() is not None
    model.close()


def test_a_missing_file_cannot_be_read(load, tmp_path):
    with pytest.raises(ModelLoadError) as caught:
        load(tmp_path / "absent")
    assert "No such file" in caught.value.reason


@pytest.mark.parametrize("content", [b"", b"GG", bytes(range(256)) * 64], ids=["empty", "short", "random"])
def test_other_files_are_no_models(load, tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InvalidModelFileError, match="not a GGUF file"):
        load(path)


@pytest.mark.parametrize("kept", [4, 24, 1000, 1_000_000, 50_000_000], ids=str)
def test_a_truncated_file_is_damaged(load, model_path, tmp_path, kept):
    with model_path.open("rb") as whole:
        (tmp_path / "file").write_bytes(whole.read(kept))
    with pytest.raises(InvalidModelFileError) as caught:
        load(tmp_path / "file")
    assert "test-model" in caught.value.message
    assert caught.value.reason


def test_random_bytes_behind_the_magic_are_damaged(load, tmp_path):
    (tmp_path / "file").write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(range(255, -1, -1)) * 64)
    with pytest.raises(InvalidModelFileError):
        load(tmp_path / "file")


CYCLES = textwrap.dedent(
    """
    import sys
    import psutil
    from camelid.types import LoadOptions, ModelArtifact, ModelFile
    from camelid_llamacpp.backend import LlamaModel

    artifact = ModelArtifact(name="m", format="gguf", files=(ModelFile(path=sys.argv[1]),))
    # Read, not mapped: it all counts as this process's own.
    options = LoadOptions(context_length=64, parallel=4, batch_tokens=64, memory_map=False)
    for _ in range(5):
        model = LlamaModel(artifact, options)
        model.decoder()
        model.embedder().embed([[1, 2, 3]])
        model.close()
        print(psutil.Process().memory_info().rss)
    """
)


def test_closing_gives_the_memory_back(model_path):
    # In a process of its own: this one's heap has what other tests left, and gives it back when it likes.
    command = [sys.executable, "-c", CYCLES, str(model_path)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=100).stdout
    first, *_, last = (int(line) for line in printed.split())
    # Four more models came and went; a heap that is a bit larger for it is no leak, one with a model in it is.
    assert last - first < model_path.stat().st_size
