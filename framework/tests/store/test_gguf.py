import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import gguf
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from camelid.contracts.gguf_values import Array
from camelid.errors import InvalidModelFileError
from camelid.store.gguf import GGUFHeader, TensorInfo, read_header

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def text(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


def header(*values: bytes, version: int = 3, tensors: tuple[bytes, ...] = (), count: int | None = None) -> bytes:
    return b"".join(
        (
            b"GGUF",
            struct.pack("<IQQ", version, len(tensors), len(values) if count is None else count),
            *values,
            *tensors,
        )
    )


def value(key: str, kind: int, content: bytes) -> bytes:
    return text(key.encode()) + struct.pack("<I", kind) + content


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name.encode()) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


@pytest.fixture
def read(tmp_path):
    def read_bytes(content: bytes) -> GGUFHeader:
        path = tmp_path / "file"
        path.write_bytes(content)
        return read_header(path)

    return read_bytes


def test_a_real_file_says_what_it_is(make_gguf):
    found = read_header(make_gguf(**{"tokenizer.chat_template": "{{ messages }}", "llama.rope.freq_base": 1e-05}))
    assert found.architecture == "llama"
    assert found.context_length == 512
    assert found.embedding_length == 64
    assert found.parameter_count == 300 * 64 + 64
    assert found.file_type == "Q4_K_M"
    assert found.chat_template == "{{ messages }}"
    assert not found.has_pooling
    assert found.cache_bytes_per_token == 2 * 2 * 2 * (16 + 16)
    assert found.metadata["llama.rope.freq_base"] == 1e-05
    assert found.tensors == (
        TensorInfo("token_embd.weight", "F32", (64, 300), 0),
        TensorInfo("output_norm.weight", "F16", (64,), 300 * 64 * 4),
    )


def test_a_file_that_does_not_say_its_type_is_what_its_matrices_are(make_gguf):
    header = read_header(make_gguf())
    silent = msgspec.structs.replace(
        header, metadata={key: value for key, value in header.metadata.items() if key != "general.file_type"}
    )
    assert silent.file_type == "F32"
    mixed = (*header.tensors, TensorInfo("output.weight", "F16", (64, 300), 0))
    assert msgspec.structs.replace(silent, tensors=mixed).file_type == "unknown"
    assert msgspec.structs.replace(silent, tensors=header.tensors[1:]).file_type == "unknown"


def test_arrays_stay_in_the_file_until_they_are_read(make_gguf):
    metadata = read_header(
        make_gguf(**{"tokenizer.ggml.scores": [0.5] * 2000, "general.languages": ["en", "de"]})
    ).metadata
    tokens, scores, languages = (
        metadata[key] for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.scores", "general.languages")
    )
    assert isinstance(tokens, Array)
    assert isinstance(scores, Array)
    assert isinstance(languages, Array)
    assert (tokens.count, tokens.items, scores.items) == (300, None, None)
    assert tokens.read() == [f"<{place}>" for place in range(300)]
    assert scores.read() == [0.5] * 2000
    assert languages.read() == ["en", "de"]


def test_heads_may_differ_from_layer_to_layer(make_gguf):
    found = read_header(make_gguf(**{"llama.attention.head_count_kv": [1, 3]}))
    assert found.cache_bytes_per_token == 2 * (1 + 3) * (16 + 16)


def test_every_kind_of_value_is_read(read):
    kinds = {
        0: ("<B", 200),
        1: ("<b", -3),
        2: ("<H", 60000),
        3: ("<h", -300),
        4: ("<I", 1 << 31),
        5: ("<i", -70000),
        6: ("<f", 0.1),
        7: ("<?", True),
        10: ("<Q", 1 << 63),
        11: ("<q", -(1 << 40)),
        12: ("<d", 0.1),
    }
    values = [value(f"k{kind}", kind, struct.pack(layout, number)) for kind, (layout, number) in kinds.items()]
    nested = value(
        "n", 9, struct.pack("<IQ", 9, 2) + struct.pack("<IQ2B", 0, 2, 1, 2) + struct.pack("<IQ", 8, 1) + text(b"x")
    )
    found = read(header(*values, value("s", 8, text("ümlaut".encode())), value("bad", 8, text(b"a\xff")), nested))
    assert {key: found.metadata[key] for key in list(found.metadata)[:-1]} == {
        **{f"k{kind}": number for kind, (_layout, number) in kinds.items()},
        "s": "ümlaut",
        "bad": "a\ufffd",
    }
    lists = found.metadata["n"]
    assert isinstance(lists, Array)
    assert lists.read() == [[1, 2], ["x"]]


def test_an_unknown_element_type_is_named_by_its_number(read):
    content = header(tensors=(tensor("t", (4,), 99, 0),)) + bytes(64)
    assert read(content).tensors[0].type == "type 99"


HOSTILE = {
    "nothing": b"",
    "another magic": b"PK\x03\x04" + bytes(100),
    "version 1": header(version=1),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "endless values": header(count=1 << 62),
    "endless tensors": b"GGUF" + struct.pack("<IQQ", 3, 1 << 62, 0),
    "a key longer than the file": header(struct.pack("<Q", 1 << 62)),
    "a string longer than the file": header(value("k", 8, struct.pack("<Q", (1 << 64) - 1))),
    "an array longer than the file": header(value("k", 9, struct.pack("<IQ", 4, 1 << 20))),
    "an array of endless strings": header(value("k", 9, struct.pack("<IQ", 8, 1 << 62))),
    "strings that overflow": header(
        value("k", 9, struct.pack("<IQ", 8, 3)) + struct.pack("<Q", (1 << 64) - 8) + bytes(64)
    ),
    "endless empty strings": header(value("k", 9, struct.pack("<IQ", 8, 1 << 30))) + bytes(1 << 16),
    "endless bytes": header(value("k", 9, struct.pack("<IQ", 0, 1 << 40))),
    "a value of unknown type": header(value("k", 13, bytes(8))),
    "an array of unknown type": header(value("k", 9, struct.pack("<IQ", 77, 1))),
    "arrays in arrays in arrays": header(value("k", 9, struct.pack("<IQ", 9, 1) * 50)),
    "a key twice": header(value("k", 0, b"\1"), value("k", 0, b"\2")),
    "too many dimensions": header(tensors=(text(b"t") + struct.pack("<I", 1 << 31),)),
    "a tensor of 2^128 elements": header(tensors=(tensor("t", (1 << 63, 1 << 63), 0, 0),)) + bytes(64),
    "a tensor that is cut off": header(tensors=(tensor("t", (1000,), 0, 0),)) + bytes(64),
    "a tensor beyond the end": header(tensors=(tensor("t", (1,), 0, 1 << 40),)) + bytes(64),
    "half a block": header(tensors=(tensor("t", (33,), 2, 0),)) + bytes(64),
    "an odd alignment": header(value("general.alignment", 4, struct.pack("<I", 3))),
    "too many elements of unknown size": header(
        tensors=tuple(tensor(f"t{place}", ((1 << 63) - 1,), 99, 0) for place in range(3))
    )
    + bytes(64),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_breaks_the_format_is_an_invalid_model_file(read, content):
    with pytest.raises(InvalidModelFileError) as caught:
        read(content)
    assert str(caught.value)


def test_what_is_no_file_is_an_invalid_model_file(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidModelFileError):
            read_header(path)


def test_a_file_cut_off_anywhere_is_noticed(make_gguf, tmp_path):
    whole = make_gguf().read_bytes()
    last = gguf.GGUFReader(tmp_path / "tiny.gguf").tensors[-1]
    end = int(last.data_offset + last.n_bytes)
    for length in [*range(600), *range(600, end, 4999), end - 1]:
        path = tmp_path / "cut.gguf"
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidModelFileError):
            read_header(path)
    path.write_bytes(whole[:end])
    assert len(read_header(path).tensors) == 2


def _ends_well(path: Path) -> None:
    """Reading ends in a whole header or in the one error that it may raise."""
    with suppress(InvalidModelFileError):
        found = read_header(path)
        facts = (found.cache_bytes_per_token, found.context_length, found.file_type, found.chat_template)
        assert all(fact is not None for fact in facts)
        for item in found.metadata.values():
            if isinstance(item, Array):
                assert len(item.read()) == item.count


@RELAXED
@given(st.binary(max_size=400))
@example(bytes(1000))
def test_random_bytes_end_well(tmp_path, content):
    path = tmp_path / "random"
    for start in (b"", b"GGUF" + struct.pack("<I", 3), header(count=3)):
        path.write_bytes(start + content)
        _ends_well(path)


@RELAXED
@given(place=st.integers(0, 4000), content=st.binary(min_size=1, max_size=9))
def test_damaged_bytes_end_well(make_gguf, tmp_path, place, content):
    whole = (tmp_path / "tiny.gguf").read_bytes() if (tmp_path / "tiny.gguf").exists() else make_gguf().read_bytes()
    path = tmp_path / "damaged"
    path.write_bytes(whole[:place] + content + whole[place + len(content) :])
    _ends_well(path)


def test_a_file_that_shrinks_after_it_was_read_is_noticed(make_gguf):
    path = make_gguf()
    tokens = read_header(path).metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, Array)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InvalidModelFileError, match="truncated"):
        tokens.read()


@pytest.mark.parametrize(
    "claim",
    [
        value("k", 8, struct.pack("<Q", 1 << 31)),
        value("k", 9, struct.pack("<IQ", 8, 1 << 31)),
        value("k", 9, struct.pack("<IQ", 0, 1 << 31)),
    ],
    ids=["string", "strings", "bytes"],
)
def test_a_huge_file_cannot_make_us_keep_what_it_claims(tmp_path, claim):
    path = tmp_path / "huge"
    path.write_bytes(header(claim))
    with path.open("r+b") as file:
        file.truncate(1 << 33)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidModelFileError, match="too large"):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("architecture", "tokenizer", "normalizes", "raw"),
    [
        ("bert", "bert", None, False),
        ("bert", "bert", False, True),
        ("bert", "t5", True, True),
        ("nomic-bert", "bert", None, True),
        ("nomic-bert-moe", "bert", False, True),
        ("nomic-bert", "bert", True, False),
        ("qwen3", "gpt2", None, False),
    ],
)
def test_few_models_give_embeddings_of_any_length(architecture, tokenizer, normalizes, raw):
    metadata = {
        "general.architecture": architecture,
        "tokenizer.ggml.model": tokenizer,
        f"{architecture}.pooling_type": 1,
        **({} if normalizes is None else {f"{architecture}.normalize_embeddings": normalizes}),
    }
    assert GGUFHeader(3, metadata, ()).raw_embeddings is raw
    del metadata[f"{architecture}.pooling_type"]
    assert not GGUFHeader(3, metadata, ()).raw_embeddings
