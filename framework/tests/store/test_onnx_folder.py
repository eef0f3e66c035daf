import json
from pathlib import Path

import pytest

from camelid.errors import InvalidModelFileError
from camelid.store import media_types
from camelid.store.onnx_folder import has_onnx, layer_type, main_first, read_onnx_facts
from camelid.testing.tiny_onnx import CONTEXT, VOCABULARY, write_encoder, write_language_model
from camelid.types.capabilities import Capability


def files_of(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (["model.onnx", "tokenizer.json"], True),
        (["onnx/model.onnx", "model.safetensors"], False),
        (["model.onnx", "model.safetensors", "genai_config.json"], True),
        (["genai_config.json"], False),
        (["a.gguf"], False),
    ],
)
def test_what_is_an_onnx_model(names, answer):
    assert has_onnx(dict.fromkeys(names)) is answer


def test_the_graph_comes_first_and_its_data_before_the_companions():
    names = ["chat_template.jinja", "genai_config.json", "model.onnx.data", "tokenizer.json", "model.onnx"]
    assert sorted(names, key=main_first)[:2] == ["model.onnx", "model.onnx.data"]
    assert [layer_type(name) for name in ("onnx/model.onnx_data", "config.json")] == [
        media_types.MODEL,
        media_types.JSON,
    ]


def test_facts_of_a_model_that_generates(tmp_path):
    facts = read_onnx_facts(files_of(write_language_model(tmp_path)))
    assert (facts.family, facts.context_length, facts.embedding_length) == ("llama", CONTEXT, VOCABULARY)
    assert facts.capability is Capability.COMPLETION
    assert facts.cache_bytes_per_token == 2 * VOCABULARY * 4


def test_facts_of_an_encoder(tmp_path):
    facts = read_onnx_facts(files_of(write_encoder(tmp_path)))
    assert (facts.family, facts.context_length, facts.embedding_length) == ("bert", CONTEXT, 32)
    assert facts.capability is Capability.EMBEDDING
    assert facts.cache_bytes_per_token == 0


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "genai_config.json cannot be read"),
        ('{"model": {"type": 1}}', r"genai_config.json cannot be read: .*str.*model.type"),
        (
            json.dumps({"model": {"type": "x", "context_length": 1, "decoder": {"filename": "../x.onnx"}}}),
            r"names '../x.onnx', which is not in the folder",
        ),
    ],
)
def test_a_config_that_is_wrong_is_named(tmp_path, config, says):
    folder = write_language_model(tmp_path)
    (folder / "genai_config.json").write_text(config)
    with pytest.raises(InvalidModelFileError, match=says):
        read_onnx_facts(files_of(folder))


def test_a_model_without_a_tokenizer_is_refused(tmp_path):
    folder = write_encoder(tmp_path)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InvalidModelFileError, match=r"tokenizer\.json is missing"):
        read_onnx_facts(files_of(folder))
