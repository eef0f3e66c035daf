"""What of a folder the model builder gets to see, and how it is called. The builder itself is not installed here."""

import ast
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid.types.conversion import ConversionTask
from camelid_onnx.building import OnnxBuilder
from camelid_onnx.precisions import PRECISIONS


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2}))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def convert(source, *, quantization="", create=lambda *_, **__: None):
    """Run with a stand-in for the builder's module; what was reported, and what the builder was asked for."""
    asked: list[tuple[object, ...]] = []
    reports: list[tuple[int, int]] = []

    def parse(*arguments: object) -> dict[str, object]:
        asked.append(arguments)
        return {"hf_details": {}}

    builder = SimpleNamespace(parse_extra_options=parse, create_model=create)
    target = str(source.with_name("model"))
    task = ConversionTask("genai-model-builder", str(source), target, quantization=quantization)
    OnnxBuilder(builder).convert(task, lambda done, total: reports.append((done, total)))  # type: ignore[arg-type]
    return reports, asked


@pytest.mark.parametrize(("wanted", "precision"), [("", "fp32"), *PRECISIONS.items()])
def test_no_code_and_no_token_are_taken_from_elsewhere(source, wanted, precision):
    _, [asked] = convert(source, quantization=wanted)
    folder, target = str(source), str(source.with_name("model"))
    cache = str(source.with_name("cache"))
    assert asked == ("", folder, target, precision, "cpu", cache, ["hf_token=false", "hf_remote=false"])


def test_the_builder_that_is_installed_has_this_shape():
    """Its source says so; to import it takes packages that are not there."""
    spec = find_spec("onnxruntime_genai")
    assert spec is not None
    [root] = spec.submodule_search_locations or ()
    source = (Path(root) / "models/builder.py").read_text()
    functions = {node.name: node.args for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    where = ["model_name", "input_path", "output_dir", "precision", "execution_provider", "cache_dir"]
    parse, create = functions["parse_extra_options"], functions["create_model"]
    assert [argument.arg for argument in parse.args[:7]] == [*where, "extra_options"]
    assert len(parse.args) - len(parse.defaults) == 7, "the others may be left out"
    assert [argument.arg for argument in create.args] == where
    assert {'"hf_token"', '"hf_remote"', "NotImplementedError"} <= set(
        re.findall(r'"hf_\w+"|NotImplementedError', source)
    )
    assert 'print(f"Reading layer {self.layer_id}")' in (Path(root) / "models/builders/base.py").read_text()


def test_layers_are_progress(source, capsys):
    def create(*_: object, **__: object) -> None:
        for layer in range(2):
            sys.stdout.write(f"Reading layer {layer}")
            sys.stdout.write("\n")

    reports, _ = convert(source, create=create)
    assert reports == [(1, 3), (2, 3)]
    assert capsys.readouterr().out == ""


def test_an_unknown_architecture_is_named(source):
    def create(*_: object, **__: object) -> None:
        raise NotImplementedError("not supported")

    with pytest.raises(UnsupportedCapabilityError, match="does not know the architecture 'LlamaForCausalLM'"):
        convert(source, create=create)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "modeling.py", "sub/x.pth", "adapter_config.json"])
def test_what_could_run_code_is_refused(source, name):
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_bytes(b"{}")
    with pytest.raises(InvalidModelFileError, match="is no part of a model in safetensors"):
        convert(source)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", b"{}", "config.json is not what it should be"),
        ("config.json", b'{"architectures": []}', "config.json is not what it should be"),
        ("config.json", b'{"architectures": ["X"], "transformers_weights": "../x.bin"}', "names a file of weights"),
        ("model.safetensors.index.json", b'{"weight_map": {"x": "../../x.bin"}}', "names '../../x.bin', which is not"),
    ],
)
def test_files_of_elsewhere_are_refused(source, name, content, says):
    (source / name).write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=says):
        convert(source)


def test_a_folder_without_a_config_is_refused(source):
    (source / "config.json").unlink()
    with pytest.raises(InvalidModelFileError, match=r"config\.json is missing"):
        convert(source)
