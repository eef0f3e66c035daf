import os
import sys

import pytest

from camelid.errors import MissingDependencyError, ModelLoadError
from camelid.testing.tiny_onnx import write_encoder, write_language_model
from camelid_onnx.providers import PLUGIN_LIBRARIES, canonical, in_order, plugin_libraries


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("CUDA", "cuda"),
        ("CUDAExecutionProvider", "cuda"),
        ("dml", "directml"),
        ("DmlExecutionProvider", "directml"),
        ("gpu", "cuda"),
        ("NvTensorRtRtx", "NvTensorRtRtx"),
    ],
)
def test_a_provider_has_many_names(name, found):
    assert canonical(name) == found


@pytest.mark.parametrize(
    ("wanted", "made_for", "present", "gpu", "order"),
    [
        ("auto", (), ["cpu"], True, ["cpu"]),
        ("auto", (), ["cuda", "cpu"], True, ["cuda", "cpu"]),
        ("auto", (), ["cuda", "cpu"], False, ["cpu"]),
        ("auto", ("dml",), ["cuda", "directml", "cpu"], True, ["directml", "cuda", "cpu"]),
        ("auto", ("cuda",), ["cpu"], True, ["cpu"]),
        ("auto", ("MyProvider",), ["cpu"], True, ["MyProvider", "cpu"]),
        ("cpu", ("cuda",), ["cuda", "cpu"], True, ["cpu"]),
        ("dml", (), ["cpu"], False, ["directml"]),
    ],
)
def test_what_is_tried_first(wanted, made_for, present, gpu, order):
    assert in_order(wanted, made_for, present, gpu=gpu) == order


def test_libraries_of_providers_are_named_by_the_machines_owner(monkeypatch):
    monkeypatch.setenv(PLUGIN_LIBRARIES, os.pathsep.join(["Mine=/opt/mine.so", "", "nonsense", " Other = /x.so "]))
    assert plugin_libraries() == {"Mine": "/opt/mine.so", "Other": "/x.so"}


def test_a_library_that_cannot_be_loaded_does_not_keep_a_model_from_the_cpu(load, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(PLUGIN_LIBRARIES, f"Mine={tmp_path / 'missing.so'}")
    model = load(write_language_model(tmp_path / "tiny"))
    assert model.facts.runtime.endswith(" on CPU")
    assert "Mine cannot be registered" in caplog.text


@pytest.mark.parametrize("write", [write_language_model, write_encoder])
@pytest.mark.parametrize(
    ("provider", "package"), [("cuda", r"camelid-onnx\[cuda\]"), ("directml", r"camelid-onnx\[directml\]")]
)
def test_asking_for_what_is_not_installed_names_the_package(load, tmp_path, write, provider, package):
    with pytest.raises(MissingDependencyError, match=package):
        load(write(tmp_path / "tiny"), provider=provider)


@pytest.mark.parametrize("provider", ["nonsense", "webgpu"])
def test_a_provider_that_nobody_knows_is_an_error(load, tmp_path, provider):
    with pytest.raises(ModelLoadError, match=f"no provider '{provider}'.*{PLUGIN_LIBRARIES}"):
        load(write_language_model(tmp_path / "tiny"), provider=provider)


def test_a_model_made_for_what_is_not_there_runs_on_the_cpu(load, tmp_path):
    folder = write_language_model(tmp_path / "tiny")
    config = (folder / "genai_config.json").read_text()
    (folder / "genai_config.json").write_text(
        config.replace('"provider_options":[]', '"provider_options":[{"cuda":{"enable_cuda_graph":"0"}}]')
    )
    model = load(folder)
    assert model.memory()[0].device == "cpu"


@pytest.mark.parametrize(
    ("write", "library"), [(write_language_model, "onnxruntime_genai"), (write_encoder, "onnxruntime")]
)
def test_a_library_that_is_missing_names_what_to_install(load, tmp_path, monkeypatch, write, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=r"ONNX Runtime.* could not be loaded.*camelid-onnx\[cpu\]"):
        load(write(tmp_path / "tiny"))
