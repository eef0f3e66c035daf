"""Whole pulls, resuming, several who want the same, and redirects."""

from itertools import chain
from pathlib import Path

from camelid.store.digests import digest_of
from camelid.testing.loopback import Fault
from camelid.testing.registry_source import SEGMENT, Client, RegistrySource
from camelid.testing.suite.resolving import weights

__all__ = ("PullingCases",)


class PullingCases:
    """Pull from another machine that has no fault, or one that passes."""

    def test_it_is_known_to_ask_other_machines(self, source: RegistrySource) -> None:
        """Proves that settings about hosts hold for it. If it fails, look at `Registry.remote`."""
        assert source.make_registry().remote

    def test_a_second_pull_fetches_nothing(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that what was announced is what came. If it fails, look at `BlobSource.digest` and `version`."""
        name, client = source.publish("small", weights()), Client(source, tmp_path / "models")
        client.pull(name)
        served = source.server.served
        assert client.pull(name)[-1].status == "success"
        assert source.server.served == served

    def test_what_came_before_a_restart_is_not_fetched_again(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that a file can be read from the middle. If it fails, look at the offset of `Registry.open`."""
        content = weights()
        digest, name = digest_of(content), source.publish("small", content)
        source.server.inject(Fault.STALL)
        first, enough = Client(source, tmp_path / "models"), len(content) // 4
        first.leave(name, lambda line: line.completed > enough)
        assert len(first.remains()) == 2
        source.server.heal()
        before, second = source.server.sent, Client(source, tmp_path / "models")
        lines = second.pull(name)
        assert lines[-1].status == "success"
        assert min(line.completed for line in lines if line.total == len(content) and line.completed) > enough
        assert source.server.sent - before < len(content)
        assert second.store.blobs.has(digest)
        assert second.remains() == []

    def test_a_model_that_changed_meanwhile_is_fetched_anew(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that no two files are mixed. If it fails, look at `BlobSource.digest` and `version`."""
        content, other = weights(), weights()
        name = source.publish("small", content)
        source.server.inject(Fault.STALL)
        client = Client(source, tmp_path / "models")
        client.leave(name, lambda line: line.completed > len(content) // 4)
        source.server.heal()
        assert source.publish("small", other) == name
        assert client.pull(name)[-1].status == "success"
        assert client.store.blobs.has(digest_of(other))
        assert not client.store.blobs.has(digest_of(content))

    def test_two_names_of_one_file_share_its_download(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that digests are those of the files. If it fails, look at `BlobSource.digest`.

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
        assert source.server.served < (downloads + 0.5) * len(content) / SEGMENT

    def test_a_redirect_takes_no_credentials_along(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that another host learns no token. If it fails, look at what is sent along after a redirect."""
        name = source.publish("small", weights())
        mirror = source.make_mirror()
        if mirror is None:
            source.refused = "no other host has files of this registry"
            return
        with mirror:
            source.server.send_elsewhere(mirror)
            client = Client(source, tmp_path / "models")
            assert client.pull(name)[-1].status == "success"
        assert source.server.sent == 0
        assert mirror.requests
        assert {"authorization", "cookie"}.isdisjoint(chain.from_iterable(one.headers for one in mirror.requests))
