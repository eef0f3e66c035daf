"""Tokens, against those that tokenizers and sentencepiece make."""

import json
from pathlib import Path

import pytest

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.folder import SourceFolder
from camelid_gguf.tokenizers import read_vocabulary
from camelid_gguf.tokenizers.sentencepiece import read_sentencepiece
from camelid_gguf.tokenizers.vocabulary import Kind

WAYS = ["dbrx", "deepseek-v3", "gpt-2", "gpt-4o", "llama-bpe", "qwen2", "qwen35", "smollm", "tekken"]


@pytest.fixture
def model_with(family_folder, weights, write_safetensors, golden, convert):
    """Converts a tiny model with a tokenizer's files and so many tokens."""

    def model_with(size: int, files: dict[str, object]) -> Path:
        folder = family_folder("llama")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (folder / name).write_bytes(data)
        config = json.loads((folder / "config.json").read_text()) | {"vocab_size": size}
        (folder / "config.json").write_text(json.dumps(config))
        tensors = {name: weights(name, shape) for name, shape in golden("families/llama.json")["tensors"].items()}
        for name in ("lm_head.weight", "model.embed_tokens.weight"):
            tensors[name] = weights(name, (size, 32))
        write_safetensors(folder / "model.safetensors", tensors)
        return convert(folder)

    return model_with


@pytest.mark.parametrize("way", WAYS)
def test_bytes_are_paired_as_tokenizers_does(way, golden, model_with, tokenize, read):
    data = golden("byte_level.json")
    case = data["cases"][way]
    tokenizer = data["tokenizer"] | {key: case[key] for key in ("pre_tokenizer", "post_processor")}
    tokenizer["model"] = tokenizer["model"] | {"ignore_merges": case["ignore_merges"]}
    path = model_with(
        400,
        {
            "tokenizer.json": tokenizer,
            "tokenizer_config.json": {"bos_token": "<|bos|>", "eos_token": {"content": "<|eot|>"}},
        },
    )
    # llama.cpp's expressions for these two part a letter from its combining marks, which only the last text has.
    texts = data["texts"][:-1] if way in {"tekken", "gpt-4o"} else data["texts"]
    assert tokenize(path, texts) == case["expected"][: len(texts)]
    values, _ = read(path)
    assert values["tokenizer.ggml.pre"] == way
    assert values["tokenizer.ggml.add_bos_token"] is case["ignore_merges"]


def test_the_ways_are_all_that_the_data_have(golden):
    cases = golden("byte_level.json")["cases"]
    assert sorted(cases) == WAYS
    assert len({str(case["expected"]) for case in cases.values()}) == len(cases)


def test_merges_may_be_written_in_two_ways(golden, model_with, read):
    data = golden("byte_level.json")
    tokenizer = data["tokenizer"] | {"pre_tokenizer": data["cases"]["gpt-2"]["pre_tokenizer"]}
    found = []
    for merges in (lambda pair: pair, " ".join):
        model = tokenizer["model"] | {"merges": [merges(pair) for pair in data["tokenizer"]["model"]["merges"]]}
        path = model_with(400, {"tokenizer.json": tokenizer | {"model": model}})
        found.append(read(path)[0]["tokenizer.ggml.merges"])
        for file in path.parent.glob("llama*"):
            if file.is_dir():
                [one.unlink() for one in file.iterdir()]
                file.rmdir()
            else:
                file.unlink()
    assert found[0] == found[1]
    assert len(found[0]) > 100


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_pieces_are_what_sentencepiece_makes(kind, golden, model_with, tokenize):
    case = golden("sentencepiece.json")[kind]
    settings = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}
    path = model_with(400, {"tokenizer.model": bytes.fromhex(case["model"]), "tokenizer_config.json": settings})
    assert tokenize(path, case["texts"]) == case["expected"]


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (
            "bpe",
            {
                "normalizer": {
                    "type": "Sequence",
                    "normalizers": [
                        {"type": "Prepend", "prepend": "\u2581"},
                        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
                    ],
                }
            },
        ),
        ("bpe", {"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"}}),
        (
            "unigram",
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581"}],
                }
            },
        ),
    ],
)
def test_what_transformers_makes_of_it_gives_the_same_tokens(kind, steps, golden, model_with, tokenize):
    case = golden("sentencepiece.json")[kind]
    added = [
        {"id": number, "content": text, "special": number < 3}
        for number, text in enumerate(["<unk>", "<s>", "</s>", "<extra>"])
    ]
    tokenizer = {"model": case["tokenizer_model"], "added_tokens": added, **steps}
    settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}
    path = model_with(400, {"tokenizer.json": tokenizer, "tokenizer_config.json": settings})
    assert tokenize(path, case["texts"]) == case["expected"]


def test_gemma_puts_no_space_in_front(golden, model_with, read):
    case = golden("sentencepiece.json")["bpe"]
    steps = {
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"},
    }
    values, _ = read(model_with(400, {"tokenizer.json": {"model": case["tokenizer_model"], **steps}}))
    assert values["tokenizer.ggml.add_space_prefix"] is False


def test_words_are_pieced_as_bert_does(family_folder, convert, tokenize, read):
    path = convert(family_folder("bert"))
    assert tokenize(path, ["Bad badge xyz"]) == [[2, 21, 21, 22, 1, 3]]
    values, _ = read(path)
    assert values["tokenizer.ggml.cls_token_id"] == values["tokenizer.ggml.bos_token_id"] == 2
    assert values["tokenizer.ggml.seperator_token_id"] == values["tokenizer.ggml.eos_token_id"] == 3
    assert values["tokenizer.ggml.normalizer.lowercase"] is True


def test_rows_without_a_token_are_filled(family_folder, convert, read):
    folder = family_folder("llama")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    del tokenizer["model"]["vocab"][min(text for text, number in tokenizer["model"]["vocab"].items() if number == 60)]
    tokenizer["added_tokens"] += [
        {"id": 61, "content": "<think>", "special": False},
        {"id": 62, "content": "<|tool|>", "special": False},
        {"id": 99, "content": "<beyond>", "special": True},
    ]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    values, _ = read(convert(folder))
    assert len(values["tokenizer.ggml.tokens"]) == 64
    assert values["tokenizer.ggml.tokens"][60] == "[PAD60]"
    assert values["tokenizer.ggml.token_type"][60:63] == [Kind.UNUSED, Kind.USER_DEFINED, Kind.CONTROL]
    assert "<beyond>" not in values["tokenizer.ggml.tokens"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"chat_template.jinja": "from jinja", "tokenizer_config.json": {"chat_template": "from config"}},
            "from jinja",
        ),
        ({"tokenizer_config.json": {"chat_template": "from config"}}, "from config"),
        ({"chat_template.json": {"chat_template": "from json"}}, "from json"),
        (
            {
                "tokenizer_config.json": {
                    "chat_template": [
                        {"name": "default", "template": "first"},
                        {"name": "tool_use", "template": "second"},
                        {"name": "bad.name", "template": "third"},
                    ]
                }
            },
            "first",
        ),
        ({}, None),
    ],
)
def test_the_chat_template_is_found(files, expected, family_folder, convert, read):
    folder = family_folder("llama")
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    values, _ = read(convert(folder))
    assert values.get("tokenizer.chat_template") == expected
    assert values.get("tokenizer.chat_template.tool_use") == ("second" if expected == "first" else None)
    assert "tokenizer.chat_template.bad.name" not in values


@pytest.mark.parametrize(
    ("settings", "template", "expected"),
    [
        ({"bos_token": "<|bos|>", "eos_token": "<|eot|>"}, [], {"bos": 0, "eos": 1, "add": (False, False)}),
        ({"bos_token": "<|bos|>", "add_bos_token": True}, [], {"bos": 0, "eos": 1, "add": (True, False)}),
        ({}, ["<|bos|>", None], {"bos": 0, "eos": 1, "add": (True, False)}),
        ({"add_bos_token": False}, ["<|bos|>", None], {"bos": 0, "eos": 1, "add": (False, False)}),
        ({"eos_token": "!"}, [None, "<|eot|>"], {"bos": 0, "eos": 1, "eot": 2, "add": (False, True)}),
    ],
)
def test_each_text_begins_and_ends_as_it_should(*, settings, template, expected, family_folder, convert, read):
    folder = family_folder("llama")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    single = [{"SpecialToken": {"id": text}} if text else {"Sequence": {"id": "A"}} for text in template]
    tokenizer["post_processor"] = {
        "type": "Sequence",
        "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing", "single": single}],
    }
    number = tokenizer["model"]["vocab"].pop(next(t for t, n in tokenizer["model"]["vocab"].items() if n == 2))
    tokenizer["model"]["vocab"]["!"] = number
    tokenizer["model"]["merges"] = ["# $"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    values, _ = read(convert(folder))
    assert values["tokenizer.ggml.bos_token_id"] == expected["bos"]
    assert values["tokenizer.ggml.eos_token_id"] == expected["eos"]
    assert values.get("tokenizer.ggml.eot_token_id") == expected.get("eot")
    flags = values["tokenizer.ggml.add_bos_token"], values["tokenizer.ggml.add_eos_token"]
    assert flags == expected["add"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["model"].update(merges=[]), "has no merges"),
        (lambda t: t["model"].update(merges=[["a", "b", "c"]]), "a merge is two tokens"),
        (lambda t: t["model"].update(merges=["ab"]), "a merge is two tokens"),
        (lambda t: t["model"].update(merges=[["a b", "c"]]), "spaces in their tokens"),
        (lambda t: t["model"].update(vocab={"a": 64}), 'token 64 "a" has no row among the model\'s 64'),
        (lambda t: t["model"].update(vocab={"a": -1}), '"a" must be a whole number'),
        (lambda t: t["model"].update(vocab=[]), '"vocab" must be an object'),
        (lambda t: t["model"].update(vocab={"\ud800": 9}), "tokenizer.json holds no JSON object"),
        (lambda t: t["added_tokens"].append({"id": 5, "content": "<|bos|>"}), "twice, as 0 and as 5"),
        (lambda t: t["added_tokens"].append(5), "must be a list of objects"),
        (lambda t: t.clear(), "neither tokenizer.json nor tokenizer.model"),
    ],
)
def test_a_broken_tokenizer_is_refused_with_a_sentence(change, message, family_folder, convert):
    folder = family_folder("llama")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(InvalidModelFileError, match=message):
        convert(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "GGUF has no name for"),
        ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated"}}, "no name for"),
        ({"model": {"type": "WordLevel", "vocab": {}}}, 'unsupported tokenizer "WordLevel"'),
    ],
)
def test_a_tokenizer_that_llama_cpp_lacks_is_refused(change, message, family_folder, convert):
    folder = family_folder("llama")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | change))
    with pytest.raises(UnsupportedCapabilityError, match=message):
        convert(folder)


@pytest.mark.parametrize(
    "data", [b"\x0a\xff", b"\x0a\x05abc", b"\x07", b"\xff" * 20, b"\x0a\x02\x18\x63", b"\x0a\x03\x0a\x01\xff"]
)
def test_a_damaged_tokenizer_model_is_refused(data):
    with pytest.raises(InvalidModelFileError, match=r"tokenizer.model is damaged"):
        read_sentencepiece(data, "tokenizer.model")


def test_a_tokenizer_model_with_more_tokens_than_the_model_is_refused(golden, model_with):
    data = bytes.fromhex(golden("sentencepiece.json")["bpe"]["model"])
    with pytest.raises(InvalidModelFileError, match=r"tokenizer.model has 340 tokens, the model only 64"):
        model_with(64, {"tokenizer.model": data})


def test_added_tokens_come_from_older_files_too(family_folder):
    folder = family_folder("llama")
    (folder / "added_tokens.json").write_text(json.dumps({"<a>": 70, "<b>": 71}))
    settings = {"added_tokens_decoder": {"71": {"content": "<c>", "special": True}}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    vocabulary = read_vocabulary(SourceFolder(str(folder)), 72)
    assert vocabulary.tokens[70:] == ["<a>", "<c>"]
    assert vocabulary.kinds[70:] == [Kind.USER_DEFINED, Kind.CONTROL]
