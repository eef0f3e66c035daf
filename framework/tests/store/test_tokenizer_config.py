import json

import pytest

from camelid.errors import InvalidModelFileError
from camelid.store.tokenizer_config import Prompting, read_prompting


def written(folder, **files):
    paths = {}
    for name, content in {"tokenizer_config.json": None, "chat_template.jinja": None, **files}.items():
        if content is not None:
            paths[name] = folder / f"blob-{len(paths)}"
            paths[name].write_text(content)
    return paths


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, Prompting()),
        ({"chat_template": "A", "bos_token": "<s>", "eos_token": None}, Prompting("A", "<s>", "")),
        ({"bos_token": {"content": "<b>", "lstrip": False}, "eos_token": "<e>"}, Prompting("", "<b>", "<e>")),
        (
            {"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]},
            Prompting("D"),
        ),
        ({"chat_template": [{"name": "rag", "template": "R"}]}, Prompting("R")),
    ],
)
def test_the_forms_of_a_tokenizers_config(tmp_path, config, found):
    assert read_prompting(written(tmp_path, **{"tokenizer_config.json": json.dumps(config)})) == found


def test_a_template_in_a_file_of_its_own_wins(tmp_path):
    files = {"tokenizer_config.json": '{"chat_template": "old", "bos_token": "<s>"}', "chat_template.jinja": "new"}
    assert read_prompting(written(tmp_path, **files)) == Prompting("new", "<s>")


def test_neither_is_needed(tmp_path):
    assert read_prompting({}) == Prompting()


@pytest.mark.parametrize("content", ["[]", "{", '{"chat_template": 1}', "[" * 100_000])
def test_what_cannot_be_read_is_named(tmp_path, content):
    with pytest.raises(InvalidModelFileError, match=r"tokenizer_config\.json cannot be read"):
        read_prompting(written(tmp_path, **{"tokenizer_config.json": content}))
