import asyncio
import json
from pathlib import Path

import pytest

from camelid.contracts.registry import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.errors import CamelidError, RequestError
from camelid.services.aliases import Aliases
from camelid.services.fetch import Fetch
from camelid.services.modelfile_requests import ModelfileRequests
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
def files(tmp_path) -> Path:
    """What clients may use."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def fetch(store, create, folders, files) -> Fetch:
    requests = ModelfileRequests(store.blobs, files)
    return Fetch(
        store, Pull(store, Registries([folders])), create, requests, aliases=Aliases(["fast=example.org/me/raw"])
    )


def same_file(one: str, other: Path) -> bool:
    return other.samefile(one)


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


async def test_an_alias_is_stored_under_the_name_that_it_stands_for(fetch, store, folders):
    await lines_of(fetch, ModelName.parse("Fast"))
    assert folders.asked == ["latest"]
    assert store.find(LATEST) is not None
    assert store.find(ModelName.parse("fast")) is None


async def test_a_file_of_this_machine_is_used_in_place(fetch, store, folders, files):
    (files / "small.bin").write_bytes(b'{"camelid_backend": "echo"}')
    name = ModelName.parse(f"file://{files}/small.bin")
    assert (await lines_of(fetch, name))[-1] == "success"
    model = store.find(name)
    assert (model.name.host, model.name.model, model.config.model_format) == ("localhost", "small.bin", "echo")
    assert same_file(model.artifact.model.path, files / "small.bin")
    assert folders.asked == []


async def test_a_folder_of_this_machine_is_converted_if_need_be(fetch, store, files):
    (files / "raw").mkdir()
    (files / "raw" / "model.safetensors").write_bytes(b"weights")
    (files / "raw" / "config.json").write_bytes(b"{}")
    name = ModelName.parse(f"file://{files}/raw/")
    assert "converting model" in await lines_of(fetch, name)
    assert store.find(name).config.model_format == "gguf"


@pytest.mark.parametrize("address", ["file://{files}/../secret.bin", "file:///etc/passwd", "file://{files}/missing"])
async def test_files_elsewhere_are_out_of_reach(fetch, store, files, address):
    (files.parent / "secret.bin").write_bytes(b'{"camelid_backend": "echo"}')
    with pytest.raises(RequestError, match="below the folder that the setting modelfiles names"):
        await lines_of(fetch, ModelName.parse(address.format(files=files)))
    assert store.list() == []
