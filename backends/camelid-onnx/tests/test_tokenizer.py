import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import decoders, models, pre_tokenizers

from camelid.errors import InvalidModelFileError, RequestError
from camelid.testing.tiny_onnx import BEGIN, END, PAD, VOCABULARY, write_language_model
from camelid_onnx.tokenizer import FolderTokenizer


@pytest.fixture(scope="module")
def bytes_tokenizer(tmp_path_factory) -> FolderTokenizer:
    folder = write_language_model(tmp_path_factory.mktemp("tokenizer"))
    return FolderTokenizer(folder / "tokenizer.json", VOCABULARY, {END})


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_comes_back(bytes_tokenizer, text):
    tokens = bytes_tokenizer.encode(text, add_special=False, parse_special=False)
    assert bytes_tokenizer.decode(tokens) == text.encode("utf-8", "surrogatepass")


def test_a_lone_surrogate_is_replaced(bytes_tokenizer):
    tokens = bytes_tokenizer.encode("a\ud800b", add_special=False, parse_special=False)
    assert bytes_tokenizer.decode(tokens).decode() == "a\ufffdb"


def test_control_text_is_a_token_only_when_asked(bytes_tokenizer):
    text = "<|im_end|>"
    assert bytes_tokenizer.encode(text, add_special=False, parse_special=True) == [END]
    plain = bytes_tokenizer.encode(text, add_special=False, parse_special=False)
    assert bytes_tokenizer.decode(plain) == text.encode()
    assert bytes_tokenizer.encode(text, add_special=True, parse_special=True) == [BEGIN, END]


def test_control_tokens_are_no_text(bytes_tokenizer):
    assert bytes_tokenizer.token_bytes(END) == b""
    assert bytes_tokenizer.text(PAD) == "<|pad|>"
    assert bytes_tokenizer.text(None) == ""
    with pytest.raises(RequestError, match="not in the model's vocabulary"):
        bytes_tokenizer.token_bytes(VOCABULARY)


def test_a_vocabulary_that_is_filled_up_has_empty_tokens(tmp_path):
    folder = write_language_model(tmp_path)
    tokenizer = FolderTokenizer(folder / "tokenizer.json", VOCABULARY + 10, {END})
    assert tokenizer.vocabulary_size == VOCABULARY + 10
    assert tokenizer.token_bytes(VOCABULARY + 9) == b""


def test_cutting_and_filling_up_are_left_to_the_framework(tmp_path):
    path = write_language_model(tmp_path) / "tokenizer.json"
    file = json.loads(path.read_text())
    file["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    path.write_text(json.dumps(file))
    tokenizer = FolderTokenizer(path, 0, ())
    assert len(tokenizer.encode("abcdefgh", add_special=True, parse_special=False)) == 9


def save(tokenizer: HuggingFaceTokenizer, path: Path) -> Path:
    tokenizer.save(str(path))
    return path


def test_tokens_of_sentencepiece_have_spaces_and_bytes(tmp_path):
    vocabulary = {"<unk>": 0, "\u2581sky": 1, "\u2581": 2, "<0xC3>": 3, "<0xA9>": 4}
    made = HuggingFaceTokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = FolderTokenizer(save(made, tmp_path / "tokenizer.json"), 0, ())
    assert tokenizer.decode([1, 3, 4]) == " sk\u0079\u00e9".encode()


def test_pieces_of_words_are_joined(tmp_path):
    made = HuggingFaceTokenizer(models.WordPiece(vocab={"[UNK]": 0, "camel": 1, "##ids": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    tokenizer = FolderTokenizer(save(made, tmp_path / "tokenizer.json"), 0, ())
    assert tokenizer.encode("camelids", add_special=False, parse_special=False) == [1, 2]
    assert tokenizer.decode([1, 2]) == b" camelids"


def test_tokens_beyond_the_model_are_refused(tmp_path):
    path = write_language_model(tmp_path) / "tokenizer.json"
    with pytest.raises(InvalidModelFileError, match=r"knows token 999, the model has 260"):
        FolderTokenizer(path, VOCABULARY, {999})
