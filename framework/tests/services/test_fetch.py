import asyncio
import json

import pytest

from camelid.contracts.registry import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.errors import CamelidError
from camelid.services.fetch import Fetch
from camelid.services.pull import Pull
from camelid.services.registries import Registries
from camelid.types.names import ModelName

TYPE = "application/vnd.ollama.image."
LATEST, SMALL = ModelName.parse("example.org/me/raw"), ModelName.parse("example.org/me/raw:Q4_K_M")


class Folders(Registry):
    """Gives one safetensors folder under every name."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.config: dict[str, object] = {}
        self.format = "safetensors"

    @property
    def name(self) -> str:
        return "folders"

    def resolve(self, name: ModelName) -> ResolvedModel:
        self.asked.append(name.tag)
        files = {"model.safetensors": b"weights", "config.json": json.dumps(self.config).encode()}
        layers = [
            LayerSource(f"{TYPE}{'json' if file.endswith('json') else 'model'}", _blob(content), name=file)
            for file, content in files.items()
        ]
        return ResolvedModel((*layers, LayerSource(f"{TYPE}system", _blob(b"Hi"))), {"model_format": self.format})


def _blob(content: bytes) -> BlobSource:
    return BlobSource("", len(content), content=content)


@pytest.fixture
def folders() -> Folders:
    return Folders()


@pytest.fixture
def fetch(store, create, folders) -> Fetch:
    return Fetch(store, Pull(store, Registries([folders])), create)


async def lines_of(fetch: Fetch, name: ModelName) -> list[str]:
    return [line.status async for line in fetch(name)]


@pytest.mark.parametrize(("name", "file_type"), [(LATEST, "F16"), (SMALL, "Q4_K_M")])
async def test_safetensors_become_what_the_tag_says(fetch, store, name, file_type):
    lines = await lines_of(fetch, name)
    assert lines[0] == "pulling manifest"
    assert "converting model" in lines
    assert (lines.count("success"), lines[-1]) == (1, "success")
    model = store.find(name)
    assert (model.config.model_format, model.config.file_type, model.system) == ("gguf", file_type, "Hi")
    assert len(model.artifact.files) == 1
    blobs = {path.name.replace("-", ":") for path in store.blobs.folder.glob("sha256-*")}
    assert blobs == model.manifest.digests, "nothing stays of what it was made of"


async def test_other_formats_stay_as_they_came(fetch, store, folders):
    folders.format = "echo"
    assert "converting model" not in await lines_of(fetch, LATEST)
    assert store.find(LATEST).config.model_format == "echo"


async def test_what_could_not_be_converted_is_not_pulled_again(fetch, store, folders):
    folders.config = {"trouble": "architecture"}
    for _ in range(2):
        with pytest.raises(CamelidError, match="unsupported architecture"):
            await lines_of(fetch, LATEST)
    assert folders.asked == ["latest"]
    assert store.find(LATEST).config.model_format == "safetensors"


async def test_who_asks_for_the_same_meanwhile_finds_it_converted(fetch, folders):
    first, second = await asyncio.gather(lines_of(fetch, LATEST), lines_of(fetch, LATEST))
    assert sorted(["converting model" in first, "converting model" in second]) == [False, True]
    assert [first[-1], second[-1]] == ["success", "success"]
