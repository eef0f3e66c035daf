"""Each family of the older files: loaded, tokenized, computed."""

import numpy as np
import pytest

from camelid.errors import CamelidError, InvalidModelFileError, ModelLoadError, ModelMemoryError, RequestError
from camelid.testing.tiny_ggml import CONTEXT, FAMILIES, write_ggml_model

_TEXT = "the quick brown fox, 123 times"


def _continued(model, tokenizer, text: str, count: int = 12) -> list[int]:
    decoder = model.decoder()
    logits = decoder.feed(tokenizer.encode(text, add_special=True, parse_special=True))
    tokens = []
    for _ in range(count):
        tokens.append(int(logits.argmax()))
        logits = decoder.feed(tokens[-1:])
    return tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_goes_on_the_same_way_each_time(load, tokenizer_of, tmp_path, family):
    model = load(write_ggml_model(tmp_path / "model.bin", family))
    assert model.facts.architecture == family
    assert model.facts.context_length == 128
    assert model.facts.trained_context == (2048 if family in ("llama", "falcon") else CONTEXT)
    tokenizer = tokenizer_of(model)
    first = _continued(model, tokenizer, _TEXT)
    assert first == _continued(model, tokenizer, _TEXT)
    assert first != _continued(model, tokenizer, "something else")
    assert all(0x20 <= byte < 0x7F for byte in tokenizer.decode(first))


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_half_precision_says_the_same(load, tokenizer_of, tmp_path, family):
    whole = load(write_ggml_model(tmp_path / "whole.bin", family))
    half = load(write_ggml_model(tmp_path / "half.bin", family, half=True))
    tokenizer = tokenizer_of(whole)
    assert _continued(whole, tokenizer, _TEXT) == _continued(half, tokenizer, _TEXT)
    assert half.memory()[0].model < whole.memory()[0].model


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_in_one_batch_or_one_by_one_are_the_same(load, tokenizer_of, tmp_path, family):
    model = load(write_ggml_model(tmp_path / "model.bin", family), batch_size=3)
    tokens = tokenizer_of(model).encode(_TEXT, add_special=True, parse_special=True)
    decoder = model.decoder()
    at_once = decoder.feed(tokens).copy()
    decoder.reset()
    for token in tokens:
        logits = decoder.feed([token])
    assert np.allclose(at_once, logits, atol=1e-3)
    if decoder.trim(len(tokens) - 4):
        assert np.allclose(at_once, decoder.feed(tokens[-4:]), atol=1e-3)
    else:
        assert family == "falcon"


@pytest.mark.parametrize("family", FAMILIES)
def test_text_survives(load, tokenizer_of, tmp_path, family):
    tokenizer = tokenizer_of(load(write_ggml_model(tmp_path / "model.bin", family)))
    text = "Größe, été: 🦙 语言\n\tx"
    assert tokenizer.decode(tokenizer.encode(text, add_special=False, parse_special=False)).decode().lstrip(" ") == text
    merged = tokenizer.encode("the hero", add_special=False, parse_special=False)
    assert len(merged) < len("the hero")


def test_control_tokens_are_known_by_their_texts(load, tokenizer_of, tmp_path):
    tokenizer = tokenizer_of(load(write_ggml_model(tmp_path / "model.bin", "dollyv2")))
    (end,) = tokenizer.encode("### End", add_special=False, parse_special=True)
    assert end in tokenizer.end_tokens
    assert tokenizer.token_bytes(end) == b""
    assert end not in tokenizer.encode("### End", add_special=False, parse_special=False)


def test_the_family_may_be_named(load, tmp_path):
    path = write_ggml_model(tmp_path / "model.bin", "starcoder")
    assert load(path).facts.architecture == "starcoder"
    assert load(path, model_type="gpt_bigcode").facts.architecture == "starcoder"
    assert load(path, family="gpt2").facts.architecture == "gpt2"
    assert load(path, family="unheard-of").facts.architecture == "starcoder"
    with pytest.raises(ModelLoadError, match="no model type 'parrot'; it has: dollyv2, falcon"):
        load(path, model_type="parrot")
    with pytest.raises(ModelLoadError, match="no file of the model type 'llama'"):
        load(path, model_type="llama")
    with pytest.raises(InvalidModelFileError, match="is damaged"):
        load(path, model_type="mpt")


def test_more_than_fits_is_refused_before_it_overwrites(load, tmp_path):
    model = load(write_ggml_model(tmp_path / "model.bin", "gpt2"), context_length=16)
    decoder = model.decoder()
    decoder.feed([1] * 16)
    with pytest.raises(ModelMemoryError, match="16 tokens"):
        decoder.feed([1])


def test_what_the_vocabulary_cannot_say_is_named(load, tokenizer_of, tmp_path):
    path = write_ggml_model(tmp_path / "model.bin", "gptj")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\x01\x00\x00\x00\xf0", b"\x01\x00\x00\x00a", 1))  # the byte F0 begins emoji
    tokenizer = tokenizer_of(load(path))
    with pytest.raises(RequestError, match=r"no token for b'\\xf0', which is part of 'a 🦙'"):
        tokenizer.encode("a 🦙", add_special=True, parse_special=True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.999])
def test_half_a_file_is_refused_in_python(load, tmp_path, family, share):
    content = write_ggml_model(tmp_path / "whole.bin", family).read_bytes()
    path = tmp_path / "part.bin"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InvalidModelFileError, match="is damaged"):
        load(path)


@pytest.mark.parametrize(
    ("place", "number"),
    [(4, 0), (4, 2**31 - 1), (12, 7), (16, 0), (16, 3), (20, 10**6), (20, 3), (24, 77), (28, 5)],
)
def test_an_absurd_header_is_refused_in_python(load, tmp_path, place, number):
    path = write_ggml_model(tmp_path / "model.bin", "gpt2")
    content = bytearray(path.read_bytes())
    content[place : place + 4] = number.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(CamelidError, match=r"damaged|cannot read"):
        load(path, model_type="gpt2")


def test_blocks_of_an_old_layout_are_refused(load, tmp_path):
    path = write_ggml_model(tmp_path / "model.bin", "gpt2")
    content = bytearray(path.read_bytes())
    content[24:28] = (1002).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match="quantized weights of so old a layout"):
        load(path)


def test_a_missing_tensor_is_named(load, tmp_path):
    path = write_ggml_model(tmp_path / "model.bin", "gpt2")
    content = path.read_bytes()
    last = content.rindex(b"model/h1/mlp/c_proj/b") - 16
    path.write_bytes(content[:last])
    with pytest.raises(InvalidModelFileError, match="'model/h1/mlp/c_proj/b' is missing"):
        load(path)


def test_a_foreign_file_is_refused(load, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(InvalidModelFileError, match="no GGML file"):
        load(path)


def test_wrong_options_are_named(load, tmp_path):
    path = write_ggml_model(tmp_path / "model.bin", "gpt2")
    with pytest.raises(ModelLoadError, match=r"cannot use these options: .*batch_size"):
        load(path, batch_size="many")
