"""Whatever a file of any family says, it is refused, or taken apart into files that are no larger than it bears out."""

import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camelid.errors import CamelidError, InvalidModelFileError
from camelid.types.element_types import ELEMENT_TYPES
from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.table import FAMILIES
from camelid_llamacpp.combined.taking_apart import take_apart
from camelid_llamacpp.combined.values import (
    ARRAY,
    NUMBERS,
    array_value,
    decimal_value,
    text_of,
    text_value,
    whole_value,
)

Shape = tuple[int, tuple[int, ...]]
"""Number of the element type, and the dimensions."""

_WIDTH = 32
_KINDS = (0, 1, 2, 8, 30)
"""F32, F16, Q4_0, Q8_0, BF16."""


def content_of(architecture: str, values: Mapping[str, bytes], tensors: Mapping[str, Shape]) -> bytes:
    """A GGUF file; all its numbers are zeros."""

    def text(content: str) -> bytes:
        return struct.pack("<Q", len(content.encode())) + content.encode()

    told = {"general.architecture": text_value(architecture), **values}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(told))
    head += b"".join(text(key) + value for key, value in told.items())
    offset = 0
    for name, (kind, shape) in tensors.items():
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        _, block, block_bytes = ELEMENT_TYPES[kind]
        size = 1
        for dimension in shape:
            size *= dimension
        size = size // block * block_bytes
        offset += min(size + -size % 32, 1 << 20)
    return head + bytes(-len(head) % 32 + offset)


def _noting(method, found: set[str], architecture: str):
    def noted(draft: Draft, name: str, *more: object):
        called = text_of(draft.metadata["general.architecture"]) + "."
        found.add(f"{architecture}.{name.removeprefix(called)}" if name.startswith(called) else name)
        return method(draft, name, *more)

    return noted


@cache
def asked(architecture: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys and tensors that the code for a family asks for. Each round tells it what it asked for before."""
    family = FAMILIES[architecture]
    keys = {f"{architecture}.{mark}" for mark in family.marks}
    tensors = {"token_embd.weight", "output_norm.weight", "v.x.weight", *(f"blk.0{end}" for end in family.mark_tensors)}
    tensors |= {f"v.blk.0.attn_{part}.{end}" for part in ("q", "k", "v", "qkv") for end in ("weight", "bias")}
    for old, _new in family.projector.tensors if family.projector is not None else ():
        tensors.add(f"v.blk.0{old}.weight" if old.startswith(".") else old)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        for method in ("whole", "decimal", "decimals", "wholes", "text", "copy"):
            patch.setattr(Draft, method, _noting(getattr(Draft, method), keys, architecture))
        for method in ("shape", "source_row", "source_width", "cut"):
            patch.setattr(Draft, method, _noting(getattr(Draft, method), tensors, architecture))
        path = Path(folder) / "model.gguf"
        for value in (whole_value(1), array_value(4, (1, 2, 3)), decimal_value(0.5)):
            shapes = dict.fromkeys(tensors, (0, (_WIDTH, _WIDTH)))
            path.write_bytes(content_of(architecture, dict.fromkeys(keys, value), shapes))
            take_apart(path, "it")
            keys.discard("general.architecture")
    return tuple(sorted(keys)), tuple(sorted(tensors))


def _typed_numbers(kind: int) -> st.SearchStrategy[bytes]:
    """A number of a type, or an array of a few; extremes are as likely as others."""
    size = NUMBERS[kind].size
    extremes = (b"\0", b"\xff", b"\x7f")
    number = st.one_of(
        st.binary(min_size=size, max_size=size),
        st.sampled_from([byte * size for byte in extremes]),
        st.sampled_from([NUMBERS[kind].pack(1), bytes(size - 1) + b"\x7f", b"\xff" * (size - 1) + b"\x7e"]),
    )
    several = st.lists(number, max_size=5)
    array = several.map(lambda found: struct.pack("<IIQ", ARRAY, kind, len(found)) + b"".join(found))
    return st.one_of(number.map(lambda found: struct.pack("<I", kind) + found), array)


VALUES = st.one_of(
    st.sampled_from(sorted(NUMBERS)).flatmap(_typed_numbers),
    st.text(max_size=8).map(text_value),
)
SHAPES = st.tuples(
    st.sampled_from(_KINDS),
    st.lists(
        st.sampled_from([0, 1, 2, 3, 4, _WIDTH, 3 * _WIDTH, 1 << 20, 1 << 31, 1 << 40, (1 << 64) - 1]), max_size=4
    ),
)


@pytest.mark.parametrize("architecture", FAMILIES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_hostile_file_is_refused_or_taken_apart(tmp_path, architecture, data):
    keys, names = asked(architecture)
    values = {key: data.draw(VALUES, key) for key in keys if data.draw(st.booleans())}
    plain = st.just((0, (_WIDTH, _WIDTH)))
    tensors = {
        name: data.draw(st.one_of(plain, plain, SHAPES), name)
        for name in names
        if name == "token_embd.weight" or data.draw(st.booleans())
    }
    path = tmp_path / "model.gguf"
    path.write_bytes(content_of(architecture, values, tensors))
    try:
        combined = take_apart(path, "it")
    except CamelidError:
        return
    for assembly in () if combined is None else (combined.language, combined.projector):
        if assembly is not None:
            assert assembly.size < 64 * path.stat().st_size
            assert sum(len(chunk) for chunk in assembly.chunks()) == assembly.size


@pytest.mark.parametrize(
    ("architecture", "key", "value"),
    [
        ("gemma3", "vision.attention.layer_norm_epsilon", struct.pack("<Id", 12, 1e300)),
        ("llama4", "vision.pixel_shuffle_ratio", struct.pack("<Id", 12, 5e-324)),
        ("gemma3", "vision.image_mean", struct.pack("<IIQ3d", ARRAY, 12, 3, 0.5, -1e300, 0.5)),
        ("qwen25vl", "rope.mrope_section", array_value(10, (1 << 40, 24, 24))),
        ("qwen35", "attention.head_count_kv", array_value(10, (0, 1 << 40))),
    ],
)
def test_numbers_that_llama_cpp_has_no_room_for_are_none(tmp_path, architecture, key, value):
    tensors = {"token_embd.weight": (0, (_WIDTH, 2)), "v.x": (0, (_WIDTH,)), "blk.0.ssm_dt": (0, (_WIDTH,))}
    path = tmp_path / "model.gguf"
    path.write_bytes(content_of(architecture, {f"{architecture}.{key}": value}, tensors))
    combined = take_apart(path, "it")
    assert combined is not None
    assert combined.projector is not None


def test_dimensions_that_no_tensor_has_are_refused_also_beside_a_zero(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(content_of("gptoss", {}, {"blk.0.ffn_gate_exps.weight": (0, (0, 1 << 40, 1))}))
    with pytest.raises(InvalidModelFileError, match="damaged or incomplete"):
        take_apart(path, "it")


def test_a_row_that_is_not_there_is_as_wide_as_the_others_and_not_as_the_header_says(tmp_path):
    path = tmp_path / "model.gguf"
    tensors = {"token_embd.weight": (0, (_WIDTH, 2)), "v.x": (0, (_WIDTH,))}
    path.write_bytes(content_of("mistral3", {"mistral3.embedding_length": whole_value((1 << 32) - 1)}, tensors))
    combined = take_apart(path, "it")
    assert combined is not None
    assert combined.projector is not None
    assert combined.projector.size < 4096
