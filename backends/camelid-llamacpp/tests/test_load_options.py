"""Load options (contract 3.1) as llama.cpp gets them, and what becomes of them where this can be seen without a GPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from camelid.errors import ModelLoadError
from camelid.testing.tiny_gguf import write_language_model
from camelid_llamacpp.backend import LlamaModel
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.threads import best_threads

Given = dict[str, int]
"""What llama.cpp was given: the fields of its parameters by name."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("tiny") / "model.gguf", width=128)


@pytest.fixture
def loaded(load, tiny) -> Callable[..., Iterator[LlamaModel]]:
    @contextmanager
    def load_model(**options: object) -> Iterator[LlamaModel]:
        model = load(tiny, **options)
        try:
            yield model
        finally:
            model.close()

    return load_model


@pytest.fixture
def given(loaded, monkeypatch) -> Callable[..., Given]:
    """Load with options; the parameters of the model and of its decoder's context."""

    def watch(function: str, fields: Given) -> None:
        original = getattr(llama_cpp, function)

        def call(what: object, parameters: llama_cpp.llama_model_params) -> object:
            fields.update((name, getattr(parameters, name)) for name, *_ in parameters._fields_)
            return original(what, parameters)

        monkeypatch.setattr(llama_cpp, function, call)

    def load_model(**options: object) -> Given:
        fields: Given = {}
        watch("llama_model_load_from_file", fields)
        watch("llama_init_from_model", fields)
        with loaded(**options):
            return fields

    return load_model


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"gpu_layers": -1}, {"n_gpu_layers": -1}),
        ({"gpu_layers": 0}, {"n_gpu_layers": 0}),
        ({"gpu_layers": 7}, {"n_gpu_layers": 7}),
        ({"main_gpu": None}, {"split_mode": llama_cpp.LLAMA_SPLIT_MODE_LAYER, "main_gpu": 0}),
        ({"main_gpu": 0}, {"split_mode": llama_cpp.LLAMA_SPLIT_MODE_NONE, "main_gpu": 0}),
        ({"memory_map": None}, {"load_mode": llama_cpp.LLAMA_LOAD_MODE_AUTO}),
        ({"memory_map": True}, {"load_mode": llama_cpp.LLAMA_LOAD_MODE_MMAP}),
        ({"memory_map": False}, {"load_mode": llama_cpp.LLAMA_LOAD_MODE_NONE}),
        (
            {"memory_map": False, "backend": {"lock_memory": True}},
            {"load_mode": llama_cpp.LLAMA_LOAD_MODE_MLOCK},
        ),
        ({"backend": {"check_tensors": True}}, {"check_tensors": True}),
        ({"batch_tokens": 96}, {"n_batch": 96, "n_ubatch": 96}),
        ({"threads": 0}, {"n_threads": best_threads(), "n_threads_batch": best_threads()}),
        ({"threads": 3}, {"n_threads": 3, "n_threads_batch": 3}),
        ({"threads": 3, "backend": {"batch_threads": 2}}, {"n_threads": 3, "n_threads_batch": 2}),
        ({"context_length": 80, "parallel": 3}, {"n_ctx": 240, "n_seq_max": 3}),
        ({"flash_attention": None}, {"flash_attn_type": llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO}),
        ({"flash_attention": True}, {"flash_attn_type": llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED}),
        ({"cache_type": "q8_0"}, {"type_k": llama_cpp.GGML_TYPE_Q8_0, "type_v": llama_cpp.GGML_TYPE_Q8_0}),
        ({"backend": {"full_window": False}}, {"swa_full": False}),
    ],
    ids=str,
)
def test_options_reach_llama_cpp(given, options, expected):
    received = given(**options)
    assert {name: received[name] for name in expected} == expected


def test_a_cache_type_that_the_model_is_too_narrow_for_is_named(load, tmp_path):
    narrow = write_language_model(tmp_path / "narrow.gguf", width=64)
    with pytest.raises(ModelLoadError, match="with these options") as caught:
        load(narrow, cache_type="q8_0")
    assert "block size 32" in caught.value.reason


@pytest.mark.parametrize("name", ["main_gpu", "gpu_layers"])
def test_a_gpu_that_is_not_there_is_done_without(loaded, name):
    with loaded(**{name: 0}) as model:
        assert model.facts.offloaded_layers == 0
        assert [use.device for use in model.memory()] == ["cpu"]


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"context_length": 300, "parallel": 2, "batch_tokens": 64}, (300, 2, 64)),
        ({"context_length": 40, "parallel": 1, "batch_tokens": 32}, (40, 1, 32)),
        ({"context_length": 9000, "parallel": 1, "batch_tokens": 512}, (9000, 1, 512)),
    ],
    ids=str,
)
def test_sizes_are_those_asked_for(loaded, options, sizes):
    with loaded(**options) as model:
        limits = model.decoder().limits
        assert (limits.context_length, limits.sequences, limits.batch_tokens) == sizes
        assert limits.cells >= limits.context_length * limits.sequences


@pytest.mark.parametrize(("memory_map", "mapped"), [(True, True), (False, False)])
def test_weights_are_mapped_or_read(loaded, tiny, memory_map, mapped):
    with loaded(memory_map=memory_map):
        assert (str(tiny) in Path("/proc/self/maps").read_text()) is mapped
