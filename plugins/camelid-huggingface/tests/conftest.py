import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest

from camelid_huggingface.hub import Hub
from camelid_huggingface.registry import HubModels

_LOOPBACK = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("loopback_hub.py"))))


@pytest.fixture(scope="module")
def running_hub() -> Iterator[object]:
    hub = _LOOPBACK.LoopbackHub()
    yield hub
    hub.close()


@pytest.fixture
def hub(running_hub, monkeypatch, tmp_path):
    """A Hub without repositories, and a user without a token."""
    for kept in (running_hub.repositories, running_hub.renames, running_hub.faults, running_hub.seen):
        kept.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    return running_hub


@pytest.fixture
def loopback() -> SimpleNamespace:
    """`Fault`, `COMMIT`, `TOKEN`."""
    return _LOOPBACK


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the registry would have waited."""
    return []


@pytest.fixture
def models(hub, waits) -> HubModels:
    return HubModels(Hub(hub.url, wait=waits.append))


@pytest.fixture
def inject(hub):
    """Inject a fault into the next requests whose paths begin so, as often as is said."""

    def inject(path: str, status: int = 0, times: int = 1, **more: object) -> None:
        hub.faults.setdefault(path, []).extend(_LOOPBACK.Fault(status, **more) for _ in range(times))

    return inject
