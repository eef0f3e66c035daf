"""The real store, the real pool, and the echo backend in a thread of this process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import msgspec
import pytest

from camelid.contracts.registry import BlobSource, LayerSource, ResolvedModel
from camelid.engine import placements
from camelid.engine.conversion import Conversions
from camelid.engine.pool import Pool
from camelid.errors import RegistryError
from camelid.plugins.host import PluginHost
from camelid.services.create import Create
from camelid.services.loading import Models
from camelid.services.progress import Progress
from camelid.settings import Settings
from camelid.store.install import install
from camelid.store.store import Store
from camelid.types.names import ModelName

ECHO = b'{"camelid_backend": "echo"}\n'

AddModel: TypeAlias = Callable[..., None]
Until: TypeAlias = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=tmp_path / "models", placement="in-process", num_parallel=2)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store(settings.models)


@pytest.fixture
def models(store: Store) -> Models:
    return Models(store)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    host = PluginHost.load(only=["echo"], builtins={"placements": placements})
    pool = Pool(host.catalog, settings)
    yield pool
    await pool.close()


@pytest.fixture
def add_model(store: Store) -> AddModel:
    """Puts an echo model into the store; keyword arguments are the contents of its layers and its config's fields."""

    def add(
        name: str = "echo",
        *,
        content: bytes = ECHO,
        template: str | None = "{{ range .Messages }}<|turn|>{{ .Content }}{{ end }}<|answer|>",
        system: str = "",
        params: Mapping[str, object] = MappingProxyType({}),
        messages: list[dict[str, str]] | None = None,
        **config: object,
    ) -> None:
        texts = {
            "template": template,
            "system": system or None,
            "params": msgspec.json.encode({"temperature": 0, **params}).decode(),
            "messages": None if messages is None else msgspec.json.encode(messages).decode(),
        }
        layers = [("model", content), *((kind, text.encode()) for kind, text in texts.items() if text is not None)]
        resolved = ResolvedModel(
            layers=tuple(
                LayerSource(
                    media_type=f"application/vnd.ollama.image.{kind}",
                    blob=BlobSource(digest="", size=len(blob), content=blob),
                )
                for kind, blob in layers
            ),
            config={"model_format": "echo", "model_family": "echo", **config},
        )
        install(store, ModelName.parse(name), resolved, lambda *_: pytest.fail("nothing to open"), lambda *_: None)

    return add


@pytest.fixture
def until() -> Until:
    """Waits until something is so; the test's own timeout is the limit."""

    async def wait(condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - the pool has nothing to await, as its users have nothing to wait for
            await asyncio.sleep(0.01)

    return wait


@pytest.fixture
async def create(store: Store, add_model, toy_converters) -> AsyncIterator[Create]:
    """Knows one model that is not here: `far`. Its converters write tiny models."""

    async def pull(name: ModelName) -> AsyncGenerator[Progress, None]:
        yield Progress("pulling manifest")
        if name.model != "far":
            raise RegistryError("pull model manifest: file does not exist")
        add_model(name.short)
        yield Progress("success")

    catalog = PluginHost.load(only=[toy_converters], builtins={"placements": placements}).catalog
    conversions = Conversions(catalog.placement("in-process"))
    yield Create(store, pull, catalog, conversions)
    await conversions.close()


@pytest.fixture
def upload(store: Store, make_gguf):
    """Stores a GGUF file as a client does that uploads it; its digest."""

    def put(name: str = "tiny.gguf", **metadata: object) -> str:
        return store.blobs.put(make_gguf(name, **metadata).read_bytes())

    return put
