"""Servers that are broken, slow or hostile."""

from pathlib import Path

import pytest

from camelid.errors import CamelidError, RegistryError
from camelid.store.digests import digest_of
from camelid.testing.loopback import Fault
from camelid.testing.registry_source import Client, RegistrySource
from camelid.testing.suite.pulling import weights

__all__ = ("PullingFaultCases",)


class PullingFaultCases:
    """Pull from a server with a fault: the model arrives whole, or nothing of it is seen."""

    @pytest.mark.parametrize(
        ("fault", "times"),
        [
            *((Fault.CUT, 5), (Fault.BUSY, 3), (Fault.STALL, 2)),
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
        "fault", [Fault.CORRUPT, Fault.SHORT, Fault.LONG, Fault.GONE, Fault.DENIED, Fault.BUSY, Fault.CUT, Fault.CIRCLE]
    )
    def test_a_fault_that_stays_is_refused(self, source: RegistrySource, tmp_path: Path, fault: Fault) -> None:
        """Proves that nothing wrong is stored. If it fails, the registry hides what a server did wrong."""
        content, client = weights(300_000), Client(source, tmp_path / "models")
        name = source.publish("small", content)
        source.server.inject(fault)
        with pytest.raises(RegistryError) as refused:
            client.pull(name)
        assert isinstance(refused.value, CamelidError)
        assert refused.value.message
        assert "see the server's log" not in refused.value.message
        assert client.store.find(name) is None
        assert not client.store.blobs.has(digest_of(content))
        source.server.heal()
        assert client.pull(name)[-1].status == "success"
        assert client.remains() == []
