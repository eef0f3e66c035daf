import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camelid.errors import CamelidError, InvalidModelFileError, ModelLoadError
from camelid_llamacpp.combined.gguf_file import read_gguf
from camelid_llamacpp.combined.taking_apart import take_apart
from camelid_llamacpp.combined.values import numbers_of, text_of

TENSORS = {"token_embd.weight": np.arange(64, dtype=np.float32).reshape(2, 32), "v.x": np.ones(32, np.float16)}
VALUES = {"gemma3.block_count": 7, "tokenizer.ggml.tokens": ["a", "bc"], "numbers": [1, 2, 3], "gemma3.x": 0.5}


@pytest.fixture
def path(write):
    return write("gemma3", TENSORS, VALUES)


def test_values_stay_as_they_are_and_tensors_where_they_are(path):
    file = read_gguf(path, "it")
    assert file.architecture == "gemma3"
    assert text_of(file.metadata["general.architecture"]) == "gemma3"
    assert numbers_of(file.metadata["gemma3.block_count"]) == (7,)
    assert numbers_of(file.metadata["numbers"]) == (1, 2, 3)
    assert numbers_of(file.metadata["tokenizer.ggml.tokens"]) == ()
    content = path.read_bytes()
    tensor = file.tensors["token_embd.weight"]
    assert tensor.shape == (32, 2)
    assert content[tensor.offset : tensor.offset + tensor.size] == TENSORS["token_embd.weight"].tobytes()
    assert all(value in content for value in file.metadata.values())


def test_a_file_that_was_cut_off_is_refused_wherever_it_ends(path):
    content = path.read_bytes()
    for size in [*range(4, len(content) - 64, 7)]:
        path.write_bytes(content[:size])
        with pytest.raises(InvalidModelFileError, match="damaged or incomplete"):
            read_gguf(path, "it")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 400), bytes_=st.binary(min_size=1, max_size=9))
def test_damage_ends_in_an_error_or_in_a_file(path, place, bytes_):
    whole = path.read_bytes()
    damaged = path.with_suffix(".damaged")
    damaged.write_bytes(whole[:place] + bytes_ + whole[place + len(bytes_) :])
    try:
        combined = take_apart(damaged, "it")
    except CamelidError:
        return
    for assembly in () if combined is None else (combined.language, combined.projector):
        if assembly is not None:
            assert sum(len(chunk) for chunk in assembly.chunks()) == assembly.size


def test_numbers_of_a_type_that_is_not_known_here_are_llama_cpps_business(path, write):
    name = b"token_embd.weight"
    for architecture, refused in (("gemma3", True), ("llama", False)):
        path = write(architecture, {"token_embd.weight": TENSORS["token_embd.weight"]})
        content = path.read_bytes()
        kind = content.index(name) + len(name) + 4 + 2 * 8
        path.write_bytes(content[:kind] + (200).to_bytes(4, "little") + content[kind + 4 :])
        assert read_gguf(path, "it").tensors["token_embd.weight"].size is None
        if refused:
            with pytest.raises(ModelLoadError, match="not known here"):
                take_apart(path, "it")
        else:
            assert take_apart(path, "it") is None


def test_what_is_no_model_is_told_apart(tmp_path):
    other, empty = tmp_path / "other", tmp_path / "empty"
    other.write_bytes(b"PK\3\4" * 10)
    empty.touch()
    with pytest.raises(InvalidModelFileError, match="not a GGUF file"):
        read_gguf(other, "it")
    for missing in (empty, tmp_path / "missing"):
        with pytest.raises(ModelLoadError, match="cannot be read"):
            read_gguf(missing, "it")
