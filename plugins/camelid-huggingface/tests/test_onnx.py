import pytest

from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_huggingface.onnx import find_onnx
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo

GENAI = ("genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json")
TYPE = "application/vnd.ollama.image."


def found(files: dict[str, int] | list[str], tag: str = "latest", **more: object) -> list[str] | None:
    """The paths of the files that are chosen, by name."""
    sizes = files if isinstance(files, dict) else dict.fromkeys(files, 1)
    listed = tuple(RepositoryFile(path, size) for path, size in sizes.items())
    model = find_onnx(RepositoryInfo(sha="", files=listed, **more), tag)
    return None if model is None else [model.files[name].path for name in sorted(model.files)]


def folder(name: str) -> list[str]:
    return [f"{name}/{file}" for file in GENAI]


PHI = [*folder("cuda/cuda-int4-rtn"), *folder("cpu/cpu-fp32"), *folder("cpu/cpu-int4-rtn"), "README.md", "config.json"]


@pytest.mark.parametrize(
    ("tag", "chosen"),
    [
        ("latest", "cpu/cpu-int4-rtn"),
        ("cuda", "cuda/cuda-int4-rtn"),
        ("CUDA-int4-rtn", "cuda/cuda-int4-rtn"),
        ("fp32", "cpu/cpu-fp32"),
        ("cpu", "cpu/cpu-int4-rtn"),
    ],
)
def test_a_folder_that_generates_is_chosen_by_its_words(tag, chosen):
    assert found(PHI, tag) == folder(chosen)


def test_of_equal_folders_the_smallest_is_the_default():
    sizes = dict.fromkeys(folder("a-int8"), 9) | dict.fromkeys(folder("b-int8"), 3)
    assert found(sizes) == folder("b-int8")


def test_an_unknown_tag_names_the_folders():
    with pytest.raises(RegistryError, match=r"has no int3; it has cpu cpu-int4-rtn, cpu cpu-fp32, cuda cuda-int4-rtn$"):
        found(PHI, "int3")
    with pytest.raises(RegistryError, match="has no int3; it has only latest"):
        found([*GENAI], "int3")


def test_a_folder_without_what_no_runtime_reads():
    more = ["README.md", "LICENSE", "picture.PNG", ".gitattributes", "run.py", "other/model.onnx"]
    assert found([*GENAI, *more, "chat_template.jinja"]) == ["chat_template.jinja", *GENAI]


ENCODER = ["tokenizer.json", "config.json", "modules.json", "1_Pooling/config.json", "model.safetensors", "README.md"]
COMPANIONS = ["1_Pooling/config.json", "config.json", "modules.json"]


@pytest.mark.parametrize(
    ("graphs", "tag", "chosen"),
    [
        (["onnx/model.onnx", "onnx/model_int8.onnx"], "latest", ["onnx/model.onnx"]),
        (["onnx/model.onnx", "onnx/model_int8.onnx"], "int8", ["onnx/model_int8.onnx"]),
        (["onnx/model.onnx", "onnx/model.onnx_data"], "latest", ["onnx/model.onnx", "onnx/model.onnx_data"]),
        (["model_quantized.onnx"], "latest", ["model_quantized.onnx"]),
        (["onnx/encoder.onnx"], "latest", ["onnx/encoder.onnx"]),
    ],
)
def test_an_encoder_comes_with_all_that_stands_beside_it(graphs, tag, chosen):
    assert found([*ENCODER, *graphs], tag) == sorted([*COMPANIONS, *chosen, "tokenizer.json"])


@pytest.mark.parametrize(
    ("files", "more"),
    [
        (ENCODER, {}),
        (["deep/down/model.onnx", "tokenizer.json"], {}),
        (["onnx/model.onnx", "tokenizer.json"], {"pipeline_tag": "text-generation"}),
        (["../model.onnx", "tokenizer.json"], {}),
    ],
)
def test_what_is_no_onnx_model(files, more):
    assert found(files, **more) is None


def test_a_tokenizer_is_needed():
    with pytest.raises(RegistryError, match=r"no tokenizer\.json beside its ONNX model"):
        found(["model.onnx", "config.json"])


def test_the_layers_have_names_and_the_graph_is_the_first(hub, models):
    files = {"tokenizer.json": "{}", "genai_config.json": "{}", "model.onnx.data": b"data", "model.onnx": b"graph"}
    hub.add("me/phi", {f"cpu-int4/{name}": content for name, content in files.items()} | {"LICENSE": "MIT"})
    resolved = models.resolve(ModelName.parse("hf.co/me/phi"))
    assert resolved is not None
    assert resolved.config == {"model_format": "onnx"}
    layers = [(layer.media_type.removeprefix(TYPE), layer.name, layer.blob.content) for layer in resolved.layers]
    assert layers == [
        ("model", "model.onnx", None),
        ("model", "model.onnx.data", None),
        ("json", "genai_config.json", b"{}"),
        ("json", "tokenizer.json", b"{}"),
        ("license", "", b"MIT"),
    ]
    with models.open(resolved.layers[1].blob, 1) as stream:
        assert stream.read() == b"ata"


def test_gguf_files_come_first(hub, models):
    hub.add("me/both", {"model.onnx": b"graph", "tokenizer.json": "{}", "both.gguf": b"GGUF"})
    [layer] = models.resolve(ModelName.parse("hf.co/me/both")).layers
    assert layer.blob.size == 4
