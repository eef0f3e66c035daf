import os
import time

import pytest

from camelid.contracts.gguf_values import Array
from camelid.errors import InvalidModelFileError
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.gguf import read_header
from camelid.store.headers import Headers
from camelid.store.store import Store
from camelid.types.names import ModelName

TOKENS = {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 299, "tokenizer.chat_template": "{{ x }}"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "headers"


@pytest.fixture
def headers(folder) -> Headers:
    return Headers(folder)


def test_what_is_remembered_is_what_was_read(headers, folder, make_gguf):
    path = make_gguf(**TOKENS, **{"llama.rope.freq_base": 1e-05, "general.languages": ["en", "de"]})
    summary = headers.summary(path)
    again = Headers(folder)
    assert again.summary(path) == summary
    assert again.header(path) == read_header(path)
    assert (summary.architecture, summary.file_type, summary.parameter_count) == ("llama", "Q4_K_M", 300 * 64 + 64)
    assert (summary.begin_token, summary.end_token) == ("<1>", "<299>")
    assert (summary.context_length, summary.embedding_length, summary.has_pooling) == (512, 64, False)


def test_nothing_is_read_twice(headers, folder, make_gguf):
    path = make_gguf()
    headers.summary(path)
    path.write_bytes(b"x" * path.stat().st_size)
    assert Headers(folder).summary(path).architecture == "llama"


def test_arrays_are_found_where_the_file_is_now(headers, tmp_path, make_gguf):
    path = make_gguf()
    headers.summary(path)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    path.rename(moved / path.name)
    tokens = headers.header(moved / path.name).metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, Array)
    assert tokens.read()[:2] == ["<0>", "<1>"]


def test_a_file_of_another_size_is_read_anew(headers, make_gguf):
    path = make_gguf()
    headers.summary(path)
    make_gguf(architecture="qwen3", **{"general.basename": "q" * 100})
    assert headers.summary(path).architecture == "qwen3"
    path.write_bytes(b"rot")
    with pytest.raises(InvalidModelFileError):
        headers.summary(path)


@pytest.mark.parametrize("content", [b"", b"rot", b"\x80", b"\xc1" * 100], ids=["empty", "text", "map", "no msgpack"])
def test_a_damaged_note_costs_nothing_but_time(headers, folder, make_gguf, content):
    path = make_gguf()
    summary = headers.summary(path)
    (folder / path.name).write_bytes(content)
    assert headers.summary(path) == summary
    assert (folder / path.name).read_bytes() != content


def test_a_folder_that_cannot_be_written_is_none(folder, make_gguf):
    folder.write_text("a file is in the way")
    path = make_gguf()
    headers = Headers(folder)
    assert headers.summary(path).architecture == "llama"
    assert headers.header(path) == read_header(path)


def test_what_belongs_to_no_blob_is_swept_once_it_is_old(headers, folder, tmp_path, make_gguf):
    path = make_gguf()
    headers.summary(path)
    (folder / "gone").write_bytes(b"")
    (folder / "young").write_bytes(b"")
    os.utime(folder / "gone", (time.time() - 7200, time.time() - 7200))
    headers.sweep(tmp_path)
    assert {entry.name for entry in folder.iterdir()} == {path.name, "young"}


def test_the_store_remembers_headers_and_forgets_those_of_deleted_models(store, make_gguf):
    builder = ModelBuilder(store, ModelConfig())
    builder.add_blob(media_types.MODEL, store.blobs.link(make_gguf(), builder.owner))
    builder.write(ModelName.parse("tiny"))
    model = store.find(ModelName.parse("tiny"))
    folder = store.root / ".camelid" / "headers"
    blob = store.blobs.path(model.artifact.model.digest)
    assert [entry.name for entry in folder.iterdir()] == [blob.name]
    assert store.header(model.artifact.model) == read_header(blob)
    assert [found.header for found in Store(store.root).list()] == [model.header]
    store.delete(model.name)
    assert list(folder.iterdir()) == []
