import hashlib
import json
import logging
import subprocess
import sys

import huggingface_hub.constants
import pytest

from camelid.contracts.registry import Registry
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_huggingface.plugin import CAMELID_API, camelid_registries

TYPE = "application/vnd.ollama.image."
LLAMA = b"GGUF llama" * 1000


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def resolve(models):
    return lambda name: models.resolve(ModelName.parse(name))


@pytest.fixture
def small(models, resolve):
    """The made-up layers of `hf.co/me/tiny` as texts, by the last word of their media types."""

    def small(name: str = "hf.co/me/tiny") -> dict[str, str]:
        layers = resolve(name).layers
        return {
            layer.media_type.removeprefix(TYPE): layer.blob.content.decode()
            for layer in layers
            if layer.blob.content is not None
        }

    return small


def read(models, blob, offset: int = 0) -> bytes:
    with models.open(blob, offset) as stream:
        pieces = []
        while piece := stream.read(1000):
            assert len(piece) <= 1000
            pieces.append(piece)
    return b"".join(pieces)


def test_the_hook_registers_the_registry():
    registered: list[Registry] = []
    camelid_registries(registered.append)
    assert [registry.name for registry in registered] == ["huggingface"]
    assert CAMELID_API == 1


def test_the_plugin_loads_nothing_heavy():
    check = "import camelid_huggingface.plugin, sys; print({'huggingface_hub', 'httpx', 'urllib3'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "set()"


@pytest.mark.parametrize("name", ["tiny", "me/tiny", "example.org/me/tiny", "hf.co.example.org/me/tiny"])
def test_other_hosts_are_left_to_other_registries(hub, resolve, name):
    assert resolve(name) is None
    assert hub.seen == []


@pytest.mark.parametrize("host", ["hf.co", "HF.co", "huggingface.co", "www.huggingface.co", "https://hf.co"])
def test_a_file_is_announced_with_what_the_hub_knows(hub, models, resolve, host, loopback):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA, "README.md": "# Tiny"})
    resolved = resolve(f"{host}/me/tiny:q8_0")
    assert resolved is not None
    assert (resolved.config, resolved.manifest) == ({"model_format": "gguf"}, None)
    [layer] = resolved.layers
    assert layer.media_type == f"{TYPE}model"
    assert (layer.blob.digest, layer.blob.size, layer.blob.content) == (digest(LLAMA), len(LLAMA), None)
    assert layer.blob.url == f"{hub.url}/me/tiny/resolve/{loopback.COMMIT}/tiny.Q8_0.gguf"
    assert read(models, layer.blob) == LLAMA


@pytest.mark.parametrize("offset", [0, 1, 5000, len(LLAMA) - 1, len(LLAMA)])
def test_a_file_is_read_from_any_offset(hub, models, resolve, offset):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    assert read(models, resolve("hf.co/me/tiny").layers[0].blob, offset) == LLAMA[offset:]


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (10, 100), (9990, 10), (9990, 1000), (10_000, 5)])
def test_a_range_is_asked_for_and_no_more(hub, models, resolve, offset, length):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    blob = resolve("hf.co/me/tiny").layers[0].blob
    with models.open_range(blob, offset, length) as stream:
        assert stream.read(length + 1) == LLAMA[offset : offset + length]


def test_the_same_connections_serve_one_range_after_the_other(hub, models, resolve):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    blob = resolve("hf.co/me/tiny").layers[0].blob
    for offset in range(0, 10_000, 1000):
        with models.open_range(blob, offset, 1000) as stream:
            assert stream.read(1000) == LLAMA[offset : offset + 1000]
    assert len({seen.client for seen in hub.seen if seen.server == "cdn"}) == 1
    assert len(hub.paths("hub")) == 2, "the Hub is asked about the model, and once where its file is"


def test_another_hub_is_known_by_its_host(hub, resolve, monkeypatch):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    name = f"{hub.url.removeprefix('http://')}/me/tiny"
    assert resolve(name) is None
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert resolve(name) is not None


def test_pieces_come_in_their_order_and_with_all_parameters(hub, models, resolve):
    files = {f"Q8_0/big-Q8_0-0000{number}-of-00003.gguf": b"GGUF%d" % number for number in (2, 3, 1)}
    hub.add("me/big", files, gguf={"total": 7_615_616_512, "architecture": "llama"})
    resolved = resolve("hf.co/me/big:Q8_0")
    assert [read(models, layer.blob) for layer in resolved.layers] == [b"GGUF1", b"GGUF2", b"GGUF3"]
    assert resolved.config == {"model_format": "gguf", "model_type": "7.6B"}


@pytest.mark.parametrize(
    ("count", "words"),
    [(134_515_008, "134.52M"), (7_000_000_000, "7B"), (70_000_000, "70M"), (120_000, "120K"), (999, "999")],
)
def test_parameters_are_counted_in_words(hub, resolve, count, words):
    hub.add("me/big", {"big-00001-of-00001.gguf": b"GGUF"}, gguf={"total": count})
    assert resolve("hf.co/me/big").config["model_type"] == words


@pytest.mark.parametrize("gguf", [{"total": "many"}, {"total": -1}, {"total": None}, [7], "7B", {}])
def test_an_unknown_count_of_parameters_is_left_to_the_files(hub, resolve, gguf):
    hub.add("me/big", {"big-00001-of-00001.gguf": b"GGUF"}, gguf=gguf)
    assert resolve("hf.co/me/big").config == {"model_format": "gguf"}


def test_the_projector_comes_along(hub, resolve):
    projectors = {"mmproj-F32.gguf": b"GGUF 32", "mmproj-model-f16.gguf": b"GGUF 16", "mmproj-Q8_0.gguf": b"GGUF 8"}
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA, **projectors})
    layers = resolve("hf.co/me/tiny").layers
    assert [layer.media_type for layer in layers] == [f"{TYPE}model", f"{TYPE}projector"]
    assert layers[1].blob.digest == digest(b"GGUF 16")


def test_weights_without_a_digest_are_read_at_once(hub, resolve):
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA}, unhashed=frozenset({"tiny-Q4_K_M.gguf"}))
    [layer] = resolve("hf.co/me/tiny").layers
    assert (layer.blob.digest, layer.blob.size, layer.blob.content) == ("", len(LLAMA), LLAMA)


def test_template_system_and_parameters_are_those_of_ollamas_way(hub, small):
    params = json.dumps({"temperature": 0.3, "stop": ["<end>"]})
    files = {"template": "{{ .Prompt }}", "system": "Be Zoë.", "params": params, "docs/template": "no"}
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA, **files})
    assert small() == {"template": "{{ .Prompt }}", "system": "Be Zoë.", "params": params}


def test_what_is_not_what_it_should_be_is_left_out(hub, small, caplog):
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA, "template": b"\xff", "system": "Hi", "params": "[1]"})
    with caplog.at_level(logging.WARNING):
        assert small() == {"system": "Hi"}
    assert "'template'" in caplog.text
    assert "'params'" in caplog.text


@pytest.mark.parametrize(
    ("files", "card", "license_text"),
    [
        ({"LICENSE": "Do as you like."}, {"license": "mit"}, "Do as you like."),
        ({"LICENSE.txt": "Do as you like."}, None, "Do as you like."),
        ({}, {"license": "mit"}, "mit"),
        ({}, {"license": ["mit", "apache-2.0"]}, "mit, apache-2.0"),
        (
            {},
            {"license": "other", "license_name": "llama", "license_link": "https://example.org/l"},
            "llama https://example.org/l",
        ),
        ({}, {"license": "other"}, "other"),
        ({}, {"license": "other", "license_name": ["a", "b"], "license_link": 1}, "other"),
        ({}, {"license": {"a": 1}}, None),
        ({}, ["license"], None),
        ({}, {}, None),
    ],
)
def test_the_license_is_the_text_or_the_readmes_word(hub, small, files, card, license_text):
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA, **files}, card=card)
    assert small().get("license") == license_text


def test_a_file_too_large_for_what_it_should_be_fails(hub, resolve):
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA, "system": "x" * ((1 << 20) + 1)})
    with pytest.raises(RegistryError, match="sends more than a file of this kind may have"):
        resolve("hf.co/me/tiny")


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, models, resolve, monkeypatch, loopback):
    monkeypatch.setenv("HF_TOKEN", loopback.TOKEN)
    hub.add("me/secret", {"tiny.Q8_0.gguf": LLAMA, "system": "Hi"}, private=True, gated=True)
    assert read(models, resolve("hf.co/me/secret").layers[0].blob, 10) == LLAMA[10:]
    assert hub.tokens("hub") == {f"Bearer {loopback.TOKEN}"}
    assert hub.tokens("cdn") == {None}


def test_a_renamed_repository_is_found(hub, models, resolve):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    hub.renames["me/old"] = "me/tiny"
    assert read(models, resolve("hf.co/me/old").layers[0].blob) == LLAMA


@pytest.mark.parametrize("name", ["hf.co/me/nothing", "hf.co/me/secret"])
def test_without_access_the_sentence_says_what_to_do(hub, resolve, name):
    hub.add("me/secret", {"tiny.Q8_0.gguf": LLAMA}, private=True)
    with pytest.raises(RegistryError) as failed:
        resolve(name)
    page = f"https://huggingface.co/{name.removeprefix('hf.co/')}"
    assert failed.value.message == (
        f"file does not exist: {name} is not on the Hub, or is private or gated: look at {page}, "
        "and set HF_TOKEN to a token of an account that may read it"
    )


def test_a_token_that_the_hub_does_not_know_is_named(hub, resolve, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_outdated")
    hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    with pytest.raises(RegistryError, match="does not know the token in HF_TOKEN"):
        resolve("hf.co/me/tiny")


def test_a_gated_repository_asks_for_its_license(hub, models, resolve):
    hub.add("me/gated", {"tiny.Q8_0.gguf": LLAMA}, gated=True)
    blob = resolve("hf.co/me/gated").layers[0].blob
    with pytest.raises(RegistryError, match=r"hf.co/me/gated is gated: accept its license at .*HF_TOKEN"):
        read(models, blob)


def test_a_file_that_went_is_named(hub, models, resolve):
    repository = hub.add("me/tiny", {"tiny.Q8_0.gguf": LLAMA})
    blob = resolve("hf.co/me/tiny").layers[0].blob
    repository.files.clear()
    with pytest.raises(RegistryError, match=r"hf.co/me/tiny does not have that file any more"):
        read(models, blob)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "# Nothing"},
        {"mmproj-F16.gguf": b"GGUF"},
        {"model.safetensors": b"weights"},
        {"unet/model.safetensors": b"weights", "config.json": "{}"},
        {"adapter_model.safetensors": b"weights", "adapter_config.json": "{}", "config.json": "{}"},
        {"pytorch_model.bin": b"weights", "config.json": "{}"},
    ],
)
def test_a_repository_without_a_model_is_refused(hub, resolve, files):
    hub.add("me/other", files)
    with pytest.raises(RegistryError, match=r"hf.co/me/other has no model that Camelid could use"):
        resolve("hf.co/me/other")


SAFETENSORS = {
    "config.json": "{}",
    "model-00001-of-00002.safetensors": b"weights",
    "model-00002-of-00002.safetensors": b"more weights",
    "tokenizer.json": "{}",
    "2_Dense/model.safetensors": b"dense",
    "2_Dense/config.json": "{}",
    "README.md": "# Other",
    "pytorch_model.bin": b"weights",
}


@pytest.mark.parametrize("tag", ["latest", "Q4_K_M", "q8_0"])
def test_safetensors_come_with_what_describes_them(hub, resolve, tag):
    hub.add("me/other", SAFETENSORS)
    resolved = resolve(f"hf.co/me/other:{tag}")
    assert resolved.config == {"model_format": "safetensors"}
    assert [(layer.media_type.removeprefix(TYPE), layer.name) for layer in resolved.layers] == [
        ("model", "2_Dense/model.safetensors"),
        ("model", "model-00001-of-00002.safetensors"),
        ("model", "model-00002-of-00002.safetensors"),
        ("json", "2_Dense/config.json"),
        ("json", "config.json"),
        ("json", "tokenizer.json"),
    ]


@pytest.mark.parametrize("tag", ["Q5_K_M", "fp16", "chat"])
def test_what_safetensors_cannot_become_is_refused_at_once(hub, resolve, tag):
    hub.add("me/other", SAFETENSORS)
    with pytest.raises(RegistryError, match=f"has no {tag}; it has safetensors, which can become F32, F16, BF16, Q8_0"):
        resolve(f"hf.co/me/other:{tag}")


def test_an_unknown_tag_names_those_that_are_there(hub, resolve):
    hub.add("me/tiny", {"tiny-Q4_K_M.gguf": LLAMA, "tiny-UD-Q8_K_XL.gguf": LLAMA, "tiny-chat.gguf": LLAMA})
    with pytest.raises(RegistryError, match=r"has no Q5_K_M; it has tiny-chat.gguf, Q4_K_M, UD-Q8_K_XL$"):
        resolve("hf.co/me/tiny:Q5_K_M")


def test_nothing_is_asked_when_the_library_is_offline(hub, resolve, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RegistryError, match="HF_HUB_OFFLINE is set"):
        resolve("hf.co/me/tiny")
    assert hub.seen == []
