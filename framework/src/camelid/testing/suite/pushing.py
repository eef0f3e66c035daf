"""Sending models, and getting them back."""

from pathlib import Path

import msgspec
import pytest

from camelid.errors import RegistryError
from camelid.testing.registry_source import Client, RegistrySource
from camelid.testing.suite.pulling import weights

__all__ = ("PushingCases",)


class PushingCases:
    """Push, where the registry takes models; where it does not, it says so."""

    def test_a_model_that_was_pushed_comes_back_with_its_digest(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that pushing changes nothing. If it fails, look at `Registry.send` and `Registry.publish`."""
        name = source.publish("small", weights())
        mine = msgspec.structs.replace(name, model="mine")
        client = Client(source, tmp_path / "models")
        client.pull(name)
        client.store.copy(name, mine)
        if not source.make_registry().can_push(mine):
            with pytest.raises(RegistryError, match="no installed registry takes models"):
                client.push(mine)
            return
        lines = [line.status for line in client.push(mine)]
        assert (lines[0], lines[-2:]) == ("retrieving manifest", ["pushing manifest", "success"])
        other = Client(source, tmp_path / "other")
        other.pull(mine)
        assert other.store.manifest(mine) == client.store.manifest(name)

    def test_a_model_that_is_not_here_is_not_pushed(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that nothing is sent of a model that does not exist."""
        name = source.unknown(source.publish("small", weights(1000)))
        before = len(source.server.requests)
        with pytest.raises(RegistryError, match="does not exist"):
            Client(source, tmp_path / "models").push(name)
        assert len(source.server.requests) == before
