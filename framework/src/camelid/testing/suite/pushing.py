"""Sending models, and getting them back."""

import secrets
from pathlib import Path

import msgspec
import pytest

from camelid.errors import RegistryError
from camelid.testing.loopback import Fault, Outage
from camelid.testing.registry_source import Client, ModelSource, RegistrySource
from camelid.testing.suite.resolving import weights
from camelid.types.names import ModelName

__all__ = ("PushingCases", "PushingFaultCases")


class PushingCases:
    """Push, where the registry takes models; where it does not, it says so, and the case counts as refused."""

    def test_a_model_that_was_pushed_comes_back_with_its_digest(self, source: ModelSource, tmp_path: Path) -> None:
        """Proves that pushing changes nothing. If it fails, look at `Registry.send` and `Registry.publish`."""
        client, mine = _with_a_model(source, tmp_path)
        if not _can_push(source, client, mine):
            return
        lines = [line.status for line in client.push(mine)]
        assert (lines[0], lines[-2:]) == ("retrieving manifest", ["pushing manifest", "success"])
        _comes_back(source, client, mine, tmp_path)

    def test_a_model_that_is_not_here_is_not_pushed(self, source: ModelSource, tmp_path: Path) -> None:
        """Proves that nothing is sent of a model that does not exist."""
        name = source.unknown(source.publish("small", weights(1000)))
        before = len(source.requests)
        with pytest.raises(RegistryError, match="does not exist"):
            Client(source, tmp_path / "models").push(name)
        assert len(source.requests) == before


class PushingFaultCases:
    """Push to another machine that is broken, or lets nobody in."""

    def test_a_connection_that_breaks_is_overcome(self, source: RegistrySource, tmp_path: Path) -> None:
        """Proves that sending again helps. If it fails, `Registry.send` or `publish` raises no `OSError`."""
        client, mine = _with_a_model(source, tmp_path)
        if not _can_push(source, client, mine):
            return
        source.server.inject(Fault.DROPPED, 3)
        assert client.push(mine)[-1].status == "success"
        _comes_back(source, client, mine, tmp_path)

    @pytest.mark.parametrize("outage", [Outage.UNAUTHORIZED, Outage.FORBIDDEN, Outage.DOWN, Outage.HUNG_UP])
    def test_a_server_that_takes_nothing_is_told(self, source: RegistrySource, tmp_path: Path, outage: Outage) -> None:
        """Proves that who pushes hears what is wrong. If it fails, look at what `Registry.send` does with answers."""
        client, mine = _with_a_model(source, tmp_path)
        if not _can_push(source, client, mine):
            return
        source.server.outage = outage
        with pytest.raises(RegistryError) as refused:
            client.push(mine)
        assert refused.value.message
        assert "see the server's log" not in refused.value.message, f"a bug: {refused.value.reason}"
        source.server.heal()
        with pytest.raises(RegistryError, match="file does not exist"):
            Client(source, tmp_path / "early").pull(mine)
        assert client.push(mine)[-1].status == "success"
        _comes_back(source, client, mine, tmp_path)


def _with_a_model(source: ModelSource, folder: Path) -> tuple[Client, ModelName]:
    """A store with a model that has a name of its own, which no earlier case pushed."""
    client, name = Client(source, folder / "models"), source.publish("small", weights())
    mine = msgspec.structs.replace(name, model=f"mine-{secrets.token_hex(4)}")
    client.pull(name)
    client.store.copy(name, mine)
    return client, mine


def _can_push(source: ModelSource, client: Client, name: ModelName) -> bool:
    """Whether the registry takes models; if not, see that it says so and asks nobody."""
    if source.make_registry().can_push(name):
        return True
    before = len(source.requests)
    with pytest.raises(RegistryError, match="no installed registry takes models"):
        client.push(name)
    assert len(source.requests) == before
    source.refused = "the registry takes no models"
    return False


def _comes_back(source: ModelSource, client: Client, name: ModelName, folder: Path) -> None:
    other = Client(source, folder / "other")
    other.pull(name)
    assert other.store.manifest(name) == client.store.manifest(name)
