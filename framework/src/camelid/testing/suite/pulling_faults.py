"""Servers that are broken, slow or hostile."""

from pathlib import Path
from typing import Final

import pytest

from camelid.errors import CamelidError
from camelid.store.digests import digest_of
from camelid.testing.loopback import Fault, Outage
from camelid.testing.registry_source import Client, RegistrySource
from camelid.testing.suite.resolving import weights
from camelid.types.names import ModelName

__all__ = ("PullingFaultCases",)

_ENOUGH: Final = 128 << 20
"""Bytes that the answers about a model may have together, however many a server sends."""


class PullingFaultCases:
    """Pull from a server with a fault: the model arrives whole, or nothing of it is seen."""

    @pytest.mark.parametrize(
        ("fault", "times"),
        [
            *((Fault.CUT, 3), (Fault.BUSY, 3), (Fault.STALL, 2)),
            *((Fault.SLOW, 99), (Fault.WHOLE, 99), (Fault.UNSIZED, 99)),
        ],
    )
    def test_a_fault_that_passes_is_overcome(
        self, source: RegistrySource, tmp_path: Path, fault: Fault, times: int
    ) -> None:
        """Proves that trying again helps. If it fails, the registry raises no `OSError` or `TransientRegistryError`."""
        content, client = weights(), Client(source, tmp_path / "models")
        name = source.publish("small", content)
        source.server.inject(fault, times)
        assert client.pull(name)[-1].status == "success"
        assert client.store.blobs.path(digest_of(content)).read_bytes() == content
        assert client.remains() == []

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.CORRUPT,
            Fault.SHORT,
            Fault.LONG,
            Fault.ENDLESS,
            Fault.GONE,
            Fault.DENIED,
            Fault.BUSY,
            Fault.CUT,
            Fault.CIRCLE,
        ],
    )
    def test_a_fault_that_stays_is_refused(self, source: RegistrySource, tmp_path: Path, fault: Fault) -> None:
        """Proves that nothing wrong is stored. If it fails, the registry hides what a server did wrong."""
        content, client = weights(300_000), Client(source, tmp_path / "models")
        name = source.publish("small", content)
        source.server.inject(fault)
        _is_refused(client, name)
        assert not client.store.blobs.has(digest_of(content))
        source.server.heal()
        assert client.pull(name)[-1].status == "success"
        assert client.remains() == []

    @pytest.mark.parametrize("outage", list(Outage))
    def test_a_server_that_answers_nothing_else_is_told(
        self, source: RegistrySource, tmp_path: Path, outage: Outage
    ) -> None:
        """Proves that who asks hears what is wrong. If it fails, look at how `Registry.resolve` reads answers."""
        client = Client(source, tmp_path / "models")
        name = source.publish("small", weights(300_000))
        source.server.outage = outage
        _is_refused(client, name)
        assert source.server.sent < _ENOUGH, "an answer without end is read on and on"
        source.server.heal()
        assert client.pull(name)[-1].status == "success"
        assert client.remains() == []


def _is_refused(client: Client, name: ModelName) -> None:
    """A pull ends in a sentence that people understand, and nothing of the model is seen."""
    with pytest.raises(CamelidError) as refused:
        client.pull(name)
    assert refused.value.message
    assert "see the server's log" not in refused.value.message, f"a bug: {refused.value.reason}"
    assert client.store.find(name) is None
