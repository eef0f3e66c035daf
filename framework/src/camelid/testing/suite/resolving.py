"""Names, and whole models of them: what every registry does, whether it asks other machines or not."""

import os
import struct
from pathlib import Path

import pytest

from camelid.errors import RegistryError
from camelid.store.digests import digest_of
from camelid.testing.registry_source import Client, ModelSource

__all__ = ("ResolvingCases", "weights")


def weights(size: int = 1_500_000) -> bytes:
    """A GGUF file of about that many bytes, like no other."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    header = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text(b"general.architecture") + struct.pack("<I", 8)
    return header + text(b"llama") + os.urandom(size)


class ResolvingCases:
    """Pull from a registry that has no fault."""

    def test_the_name_is_short_and_stays(self, source: ModelSource) -> None:
        """Proves that the registry can be named in settings. If it fails, look at `Registry.name`."""
        registry = source.make_registry()
        assert registry.name
        assert registry.name == source.make_registry().name

    def test_a_model_is_pulled(self, source: ModelSource, tmp_path: Path) -> None:
        """Proves that a model arrives byte for byte. If it fails, look at `Registry.resolve` and `Registry.open`."""
        content, client = weights(), Client(source, tmp_path / "models")
        name = source.publish("small", content)
        lines = client.pull(name)
        assert (lines[0].status, lines[-1].status) == ("pulling manifest", "success")
        model = client.store.find(name)
        assert model is not None
        assert Path(model.artifact.model.path).read_bytes() == content
        assert client.remains() == []

    def test_an_unknown_name_is_left_to_others(self, source: ModelSource, tmp_path: Path) -> None:
        """Proves that other registries are asked, too. If it fails, `Registry.resolve` does not return None."""
        name = source.unknown(source.publish("small", weights()))
        with pytest.raises(RegistryError, match="pull model manifest: file does not exist"):
            Client(source, tmp_path / "models").pull(name)

    def test_a_second_pull_changes_nothing(self, source: ModelSource, tmp_path: Path) -> None:
        """Proves that the registry says the same each time. If it fails, look at what `Registry.resolve` makes up."""
        name, client = source.publish("small", weights()), Client(source, tmp_path / "models")
        client.pull(name)
        manifest = client.store.manifest(name)
        assert client.pull(name)[-1].status == "success"
        assert client.store.manifest(name) == manifest

    def test_several_models_are_pulled_at_once(self, source: ModelSource, tmp_path: Path) -> None:
        """Proves that a registry may be asked by several threads at once. If it fails, it keeps state for each call."""
        contents = {model: weights(400_000) for model in ("one", "two", "three")}
        names = {model: source.publish(model, content) for model, content in contents.items()}
        client = Client(source, tmp_path / "models")
        client.pull(*names.values(), *names.values())
        for model, name in names.items():
            found = client.store.find(name)
            assert found is not None
            assert found.artifact.model.path == str(client.store.blobs.path(digest_of(contents[model])))
        assert client.remains() == []
