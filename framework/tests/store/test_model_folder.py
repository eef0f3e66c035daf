from pathlib import Path

import pytest

from camelid.errors import RequestError
from camelid.store.model_folder import model_files


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["a.gguf"], ["a.gguf"]),
        (["model.safetensors", "a.gguf", "config.json"], ["config.json", "model.safetensors"]),
        (["b/model-1.safetensors", "b/config.json", "x/y/z.json"], ["b/config.json", "b/model-1.safetensors"]),
        (["adapter_model.safetensors", "adapter_config.json"], ["adapter_config.json", "adapter_model.safetensors"]),
        (["pytorch_model.bin", "ggml.bin", "tokenizer.model"], ["pytorch_model.bin", "tokenizer.model"]),
        (["ggml.bin", "readme.md", "chat_template.jinja"], ["chat_template.jinja", "ggml.bin"]),
        (
            ["genai_config.json", "decoder.onnx", "decoder.onnx.data", "model.safetensors"],
            ["decoder.onnx", "decoder.onnx.data", "genai_config.json"],
        ),
        (
            ["onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model.onnx_data", "config.json", "1_Pooling/config.json"],
            ["1_Pooling/config.json", "config.json", "onnx/model.onnx", "onnx/model.onnx_data"],
        ),
        (["onnx/model_int8.onnx", "tokenizer.json"], ["onnx/model_int8.onnx", "tokenizer.json"]),
        (["onnx/model.onnx", "model.safetensors"], ["model.safetensors"]),
    ],
)
def test_the_first_group_that_matches_is_the_model(tmp_path: Path, there: list[str], chosen: list[str]):
    assert list(model_files(fill(tmp_path, *there))) == chosen


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="no Modelfile or safetensors files found"):
        model_files(fill(tmp_path, "config.json", "notes.txt"))


def test_a_git_lfs_pointer_is_refused(tmp_path: Path):
    (tmp_path / "a.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(RequestError, match="git lfs pull"):
        model_files(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path):
    outside = fill(tmp_path / "outside", "secret.json") / "secret.json"
    folder = fill(tmp_path / "model", "a.gguf")
    (folder / "config.json").symlink_to(outside)
    with pytest.raises(RequestError, match="insecure path"):
        model_files(folder)


def test_a_link_within_the_folder_is_followed(tmp_path: Path):
    fill(tmp_path, "weights")
    (tmp_path / "a.gguf").symlink_to(tmp_path / "weights")
    assert list(model_files(tmp_path)) == ["a.gguf"]


def test_a_folder_of_too_many_files_is_no_model(tmp_path: Path):
    for number in range(4097):
        (tmp_path / f"{number}.gguf").touch()
    with pytest.raises(RequestError, match="more than 4096 files"):
        model_files(tmp_path)


def test_a_model_of_a_backend_is_taken_where_no_other_is(tmp_path: Path):
    fill(tmp_path, "a.TOY", "config.json", "Modelfile")
    assert list(model_files(tmp_path, lambda: {".toy"})) == ["a.TOY"]
    fill(tmp_path, "b.toy")
    with pytest.raises(RequestError, match=r"several models: a\.TOY, b\.toy; name one of them"):
        model_files(tmp_path, lambda: {".toy"})
    fill(tmp_path, "c.gguf")
    assert list(model_files(tmp_path, lambda: {".toy"})) == ["c.gguf", "config.json"]
