"""Names, whole pulls, resuming, and several who want the same."""

import os
import struct
from pathlib import Path

import pytest

from camelid.errors import RegistryError
from camelid.store.digests import digest_of
from camelid.testing.loopback import Fault
from camelid.testing.registry_source import Client, RegistrySource

__all__ = ("PullingCases", "weights")


def weights(size: int = 1_500_000) -> bytes:
    """A GGUF file of about that many bytes, like no other."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    header = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text(b"general.architecture") + struct.pack("<I", 8)
    return header + text(b"llama") + os.urandom(size)


class PullingCases:
    """Pull from a server that has no fault, or one that passes."""

    def test_the_name_is_short_and_stays(self, source: RegistrySource) -> None:
        """Proves that the registry can be named in settings. If it fails, look at `Registry.name`."""
        registry = source.make_registry()
        assert registry.name
        assert registry.name == source.make_registry().name
        assert registry.remote

    def test_a_model_is_pulled(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that a model arrives byte for byte. If it fails, look at `Registry.resolve` and `Registry.open`."""
        content, client = weights(), Client(source, tmp_path / "models")
        name = source.publish("small", content)
        lines = client.pull(name)
        assert (lines[0].status, lines[-1].status) == ("pulling manifest", "success")
        model = client.store.find(name)
        assert model is not None
        assert Path(model.artifact.model.path).read_bytes() == content
        assert client.remains() == []

    def test_an_unknown_name_is_left_to_others(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that other registries are asked, too. If it fails, `Registry.resolve` does not return None."""
        name = source.unknown(source.publish("small", weights()))
        with pytest.raises(RegistryError, match="pull model manifest: file does not exist"):
            Client(source, tmp_path / "models").pull(name)

    def test_a_second_pull_fetches_nothing(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that what was announced is what came. If it fails, look at `BlobSource.digest` and `version`."""
        name, client = source.publish("small", weights()), Client(source, tmp_path / "models")
        client.pull(name)
        sent = source.server.sent
        assert client.pull(name)[-1].status == "success"
        assert source.server.sent == sent

    def test_what_came_before_a_restart_is_not_fetched_again(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that a file can be read from the middle. If it fails, look at the offset of `Registry.open`."""
        content = weights()
        name = source.publish("small", content)
        source.server.inject(Fault.STALL)
        first = Client(source, tmp_path / "models")
        first.leave(name, lambda: source.server.sent > len(content) // 4)
        assert len(first.remains()) == 2
        source.server.heal()
        second = Client(source, tmp_path / "models")
        assert second.pull(name)[-1].status == "success"
        assert second.store.blobs.has(digest_of(content))
        assert source.server.sent < 1.3 * len(content)
        assert second.remains() == []

    def test_a_model_that_changed_meanwhile_is_fetched_anew(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that no two files are mixed. If it fails, look at `BlobSource.digest` and `version`."""
        content, other = weights(), weights()
        name = source.publish("small", content)
        source.server.inject(Fault.STALL)
        client = Client(source, tmp_path / "models")
        client.leave(name, lambda: source.server.sent > len(content) // 4)
        source.server.heal()
        assert source.publish("small", other) == name
        assert client.pull(name)[-1].status == "success"
        assert client.store.blobs.has(digest_of(other))
        assert not client.store.blobs.has(digest_of(content))

    def test_two_names_of_one_file_share_its_download(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that a registry may be asked by several threads at once. If it fails, it keeps state for each call.

        Files of which nobody says a digest have one download for each name: that they are one turns out at the end.
        """
        content = weights()
        names = [source.publish(model, content) for model in ("one", "two")]
        known = source.make_registry().resolve(names[0])
        assert known is not None
        downloads = 1 if all(layer.blob.digest for layer in known.layers) else len(names)
        source.server.inject(Fault.SLOW)
        client = Client(source, tmp_path / "models")
        client.pull(*names)
        assert all(client.store.find(name) for name in names)
        assert source.server.sent < (downloads + 0.3) * len(content)

    def test_a_redirect_takes_no_credentials_along(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that another host learns no token. If it fails, look at what is sent along after a redirect."""
        name = source.publish("small", weights())
        mirror = source.make_mirror()
        if mirror is None:
            return
        with mirror:
            source.server.send_elsewhere(mirror)
            client = Client(source, tmp_path / "models")
            assert client.pull(name)[-1].status == "success"
        assert source.server.sent == 0
        assert mirror.requests
        assert not any({"authorization", "cookie"} & set(request.headers) for request in mirror.requests)
