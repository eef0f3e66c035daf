"""Folders that are broken or malicious: one error each, which says which file and why."""

import json
from pathlib import Path

import pytest

from camelid.errors import CamelidError, InvalidModelFileError, ModelLoadError
from camelid.testing.tiny_onnx import write_encoder, write_language_model


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_language_model(tmp_path / "tiny")


def change(path: Path, **fields: object) -> None:
    """Change fields of a genai_config.json's model; those of its decoder begin with `decoder_`."""
    config = json.loads(path.read_bytes())
    for name, value in fields.items():
        if name.startswith("decoder_"):
            config["model"]["decoder"][name.removeprefix("decoder_")] = value
        else:
            config["model"][name] = value
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model.onnx", "model.onnx is missing from model 'tiny'"),
        ("model.onnx.data", "model.onnx.data is missing from model 'tiny'"),
        ("tokenizer.json", "tokenizer.json is missing from model 'tiny'"),
    ],
)
def test_a_missing_file_is_named(load, tiny, name, says):
    (tiny / name).unlink()
    with pytest.raises(InvalidModelFileError, match=says):
        load(tiny)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"decoder_filename": "../../model.onnx"}, "outside the folder"),
        ({"decoder_filename": "/etc/passwd"}, "outside the folder"),
        ({"decoder_filename": "..\\model.onnx"}, "outside the folder"),
        ({"decoder_filename": "other.onnx"}, "other.onnx is missing"),
        ({"vision": {"filename": "../x.onnx"}}, "outside the folder"),
        ({"decoder_session_options": {"custom_ops_library": "evil"}}, "wants code to be loaded"),
        (
            {"decoder_session_options": {"provider_options": [{"qnn": {"backend_path": "x"}}]}},
            "wants code to be loaded",
        ),
        ({"decoder_session_options": {"provider_options": "cpu"}}, "genai_config.json of model 'tiny' cannot be read"),
        ({"vocab_size": "many"}, "genai_config.json of model 'tiny' cannot be read"),
        ({"context_length": 0}, r"Expected `int` >= 1 - at `\$.model.context_length`"),
        ({"vocab_size": 10**15}, r"Expected `int` <= 16777216 - at `\$.model.vocab_size`"),
        ({"decoder_head_size": 2**62}, r"at `\$.model.decoder.head_size`"),
        ({"decoder_num_hidden_layers": -1}, r"at `\$.model.decoder.num_hidden_layers`"),
        ({"vocab_size": 100}, "tokenizer.json is not for this model"),
        ({"vocab_size": 300}, "could not load model.onnx of model 'tiny' on CPU: .*logits.* 300"),
        ({"type": "nonsense"}, "could not load model.onnx of model 'tiny' on CPU"),
    ],
)
def test_a_config_that_is_wrong_is_refused(load, tiny, fields, says):
    change(tiny / "genai_config.json", **fields)
    with pytest.raises(CamelidError, match=says):
        load(tiny)


def test_weights_outside_the_folder_are_not_read(load, tiny):
    content = (tiny / "model.onnx").read_bytes()
    (tiny / "model.onnx").write_bytes(content.replace(b"model.onnx.data", b"../../secret.da"))
    with pytest.raises(InvalidModelFileError, match="outside the folder"):
        load(tiny)


@pytest.mark.parametrize("name", ["tokenizer.json", "genai_config.json", "model.onnx"])
@pytest.mark.parametrize("content", [b"", b"[1, 2", b"\x00" * 100, b"{}", bytes(range(256))])
def test_a_file_of_another_kind_is_named(load, tiny, name, content):
    (tiny / name).write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=name):
        load(tiny)


def test_weights_that_are_cut_off_are_an_error(load, tiny):
    (tiny / "model.onnx.data").write_bytes(b"x" * 100)
    with pytest.raises(
        ModelLoadError, match=r"could not load model.onnx of model 'tiny' on CPU: .*External initializer"
    ) as caught:
        load(tiny)
    assert str(tiny) not in caught.value.message


def test_a_folder_without_any_model_is_refused(load, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InvalidModelFileError, match=r"no genai_config.json and no file that ends with .onnx"):
        load(tmp_path)


def test_unknown_options_are_refused(load, tiny):
    with pytest.raises(ModelLoadError, match="speed"):
        load(tiny, speed=9)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("modules.json", '[{"type": "sentence_transformers.models.Dense"}]', "asks for a step 'Dense'"),
        ("1_Pooling/config.json", '{"pooling_mode_weightedmean_tokens": true}', "asks for a pooling other than"),
        ("1_Pooling/config.json", '{"pooling_mode_mean_tokens": "yes"}', "1_Pooling/config.json of model"),
        ("config.json", '{"hidden_size": []}', "config.json of model"),
    ],
)
def test_an_encoder_that_asks_for_more_is_refused(load, tmp_path, name, content, says):
    folder = write_encoder(tmp_path / "encoder")
    (folder / name).write_text(content)
    with pytest.raises(InvalidModelFileError, match=says):
        load(folder)


def test_a_language_model_without_its_config_is_no_encoder(load, tiny):
    (tiny / "genai_config.json").unlink()
    with pytest.raises(InvalidModelFileError, match=r"no text encoder: it wants .*past_key_values"):
        load(tiny)
