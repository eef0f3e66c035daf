"""What llama.cpp's words mean."""

import pytest

from camelid.errors import AcceleratorMemoryError, InvalidModelFileError, ModelLoadError, ModelMemoryError
from camelid_llamacpp.failures import load_error


@pytest.mark.parametrize(
    ("complaints", "kind"),
    [
        ("unable to allocate CUDA0 buffer", AcceleratorMemoryError),
        ("allocating 9 MiB on device 0: cudaMalloc failed: out of memory", AcceleratorMemoryError),
        ("graph_reserve: failed to allocate Vulkan1 compute buffer of size 9", AcceleratorMemoryError),
        ("ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 9", ModelMemoryError),
        ("tensor 'x' data is not within the file bounds, model is corrupted or incomplete", InvalidModelFileError),
        ("missing tensor 'token_embd.weight'", InvalidModelFileError),
        ("load_tensors: failed to seek for tensor v.post_ln.bias", InvalidModelFileError),
        ("unknown model architecture: 'llama9'", ModelLoadError),
        ("done_getting_tensors: wrong number of tensors; expected 62, got 21", ModelLoadError),
        ("", ModelLoadError),
    ],
)
def test_the_complaint_decides_the_error(complaints, kind):
    error = load_error("some-model", complaints)
    assert type(error) is kind
    assert "some-model" in error.message
    assert error.reason
    assert complaints in error.reason


@pytest.mark.parametrize(
    "complaints",
    [
        "llama_init_from_model: K cache type q8_0 with block size 32 does not divide n_embd_head_k=80",
        "invalid value for main_gpu: 5 (available devices: 1)",
    ],
)
def test_options_that_a_model_cannot_take_are_named(complaints):
    assert "with these options" in load_error("some-model", complaints).message
