import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource, LayerSource, ResolvedModel
from camelid.errors import DiskFullError, InvalidModelFileError, RegistryError
from camelid.store import media_types
from camelid.store.digests import digest_of
from camelid.store.install import install
from camelid.store.leases import FOLDER
from camelid.store.manifest import Layer, Manifest, encode_manifest
from camelid.store.store import Store
from camelid.store.stored import StoredModel
from camelid.store.transfer import Transfers
from camelid.store.transfer_policy import TransferPolicy
from camelid.types.names import ModelName

NAME = ModelName.parse("tiny:1b")
ECHO = b'{"camelid_backend": "echo"}'


class Remote:
    """A registry's blobs, by URL."""

    def __init__(self, **blobs: bytes) -> None:
        self.blobs = blobs
        self.opened: list[tuple[str, int, int]] = []
        self.closed = 0

    @contextmanager
    def open(self, blob: BlobSource, offset: int, length: int) -> Iterator[BinaryIO]:
        self.opened.append((blob.url, offset, length))
        try:
            yield io.BytesIO(self.blobs[blob.url][offset:])
        finally:
            self.closed += 1


class Progress(list[tuple[str, int, int]]):
    def __call__(self, digest: str, total: int, completed: int) -> None:
        self.append((digest, total, completed))


def content_layer(media_type: str, content: bytes) -> LayerSource:
    return LayerSource(media_type, BlobSource(digest=digest_of(content), size=len(content), content=content))


def path_layer(path: Path, digest: str = "") -> LayerSource:
    return LayerSource(media_types.MODEL, BlobSource(digest=digest, size=path.stat().st_size, path=path))


def remote_layer(content: bytes, *, digest: str = "", size: int | None = None) -> LayerSource:
    blob = BlobSource(digest=digest or digest_of(content), size=len(content) if size is None else size, url="weights")
    return LayerSource(media_types.MODEL, blob)


def bring(store: Store, resolved: ResolvedModel, remote: Remote | None = None) -> StoredModel:
    transfers = Transfers(store.blobs, TransferPolicy(tries=3, pause=0.001))
    return install(store, NAME, resolved, (remote or Remote()).open, lambda *_: None, transfers=transfers)


def untouched(store: Store) -> bool:
    """No model appeared, and no file is half written."""
    blobs = [path for path in store.blobs.folder.iterdir() if path.name != FOLDER]
    return not store.list() and all(digest_of(path.read_bytes()) == path.name.replace("-", ":") for path in blobs)


def test_a_file_on_this_machine_becomes_a_model_without_being_copied(store, make_gguf):
    source, progress = make_gguf(), Progress()
    layers = (path_layer(source), content_layer(media_types.PARAMS, b'{"temperature":0.2}\n'))
    model = install(store, NAME, ResolvedModel(layers=layers), Remote().open, progress)
    assert Path(model.artifact.model.path).samefile(source)
    assert model == store.find(NAME)
    assert model.params == {"temperature": 0.2}
    config = json.loads(store.blobs.read(model.manifest.config.digest, 10_000))
    assert config == {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "19K",
        "file_type": "Q4_K_M",
        "context_length": 512,
        "embedding_length": 64,
        "architecture": "amd64",
        "os": "linux",
    }
    size, digest = source.stat().st_size, model.artifact.model.digest
    assert progress == [("", size, size), (digest, size, size), (layers[1].blob.digest, 20, 20)]


def test_what_the_registry_knows_goes_before_what_the_file_says(store, make_gguf):
    resolved = ResolvedModel(
        layers=(path_layer(make_gguf()),), config={"model_type": "135M", "file_type": "", "extra": {"kept": True}}
    )
    model = bring(store, resolved)
    assert (model.config.model_type, model.config.file_type) == ("135M", "Q4_K_M")
    assert model.artifact.config["extra"] == {"kept": True}


def test_the_last_piece_of_a_model_must_be_whole_too(store, make_gguf, tmp_path):
    whole, cut = make_gguf(), tmp_path / "cut.gguf"
    cut.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(InvalidModelFileError, match="truncated"):
        bring(store, ResolvedModel(layers=(path_layer(whole), path_layer(cut))))
    assert untouched(store)


def test_a_description_brings_its_format_along(store):
    model = bring(store, ResolvedModel(layers=(content_layer(media_types.MODEL, ECHO),)))
    assert model.artifact.format == model.config.model_format == "echo"


def test_a_config_layer_is_read_and_is_no_layer(store):
    layers = (
        content_layer(media_types.CONFIG, b'{"model_format":"onnx","model_family":"phi3","renderer":null}'),
        content_layer(media_types.MODEL, b"weights"),
    )
    model = bring(store, ResolvedModel(layers=layers, config={"model_family": "phi4"}))
    assert (model.config.model_format, model.config.model_family) == ("onnx", "phi4")
    assert [layer.media_type for layer in model.manifest.layers] == [media_types.MODEL]


def test_blobs_come_through_the_registry_and_only_once(store):
    content = os.urandom(3_000_000)
    remote, progress = Remote(weights=content), Progress()
    resolved = ResolvedModel(layers=(remote_layer(content),), config={"model_format": "x"})
    model = install(store, NAME, resolved, remote.open, progress)
    assert store.blobs.path(model.artifact.model.digest).read_bytes() == content
    assert (remote.opened, remote.closed) == ([("weights", 0, 3_000_000)], 1)
    digest = digest_of(content)
    assert progress[-1] == (digest, 3_000_000, 3_000_000)
    assert progress == sorted(progress)
    progress.clear()
    install(store, NAME, resolved, remote.open, progress)
    assert len(remote.opened) == 1
    assert progress == [(digest, 3_000_000, 3_000_000)]


@pytest.mark.parametrize("size", [3_000_000, UNKNOWN_SIZE])
def test_a_blob_without_a_digest_is_told_to_its_end_and_then_under_its_name(store, size):
    content, progress = os.urandom(3_000_000), Progress()
    layer = LayerSource(media_types.MODEL, BlobSource(digest="", size=size, url="weights"))
    resolved = ResolvedModel(layers=(layer,), config={"model_format": "x"})
    install(store, NAME, resolved, Remote(weights=content).open, progress)
    assert progress[-2:] == [("", max(0, size), 3_000_000), (digest_of(content), 3_000_000, 3_000_000)]


def test_the_registrys_manifest_is_kept_byte_for_byte(store):
    config = content_layer(media_types.CONFIG, b'{"model_format":"x"}')
    model = content_layer(media_types.MODEL, b"weights")
    manifest = b" " + encode_manifest(
        Manifest(
            config=Layer(media_type=media_types.CONFIG, digest=config.blob.digest, size=config.blob.size),
            layers=(Layer(media_type=media_types.MODEL, digest=model.blob.digest, size=model.blob.size),),
        )
    )
    found = bring(store, ResolvedModel(layers=(model, config), manifest=manifest))
    assert f"sha256:{found.digest}" == digest_of(manifest)
    other = Store(store.root.parent / "other")
    with pytest.raises(RegistryError, match="left out blobs"):
        bring(other, ResolvedModel(layers=(model,), manifest=manifest))
    with pytest.raises(RegistryError, match="corrupt"):
        bring(other, ResolvedModel(layers=(model, config), manifest=manifest[:-9]))
    assert untouched(other)


@pytest.mark.parametrize(
    ("layer", "remote", "message"),
    [
        (
            remote_layer(b"right"),
            b"wrong",
            f"^digest mismatch, file must be downloaded again: want {digest_of(b'right')}, got {digest_of(b'wrong')}$",
        ),
        (remote_layer(b"right", size=4), b"right", "more than it announced"),
        (remote_layer(b"right"), b"", "^max retries exceeded: the connection ended 5 bytes too early$"),
        (remote_layer(b"right", digest="sha256:../../x"), b"right", "no digest"),
        (remote_layer(b"right", size=-1), b"right", "how large"),
        (content_layer(media_types.SYSTEM, b"system"), b"", "no model file"),
    ],
)
def test_a_registry_that_does_not_keep_its_word_is_refused(store, layer, remote, message):
    with pytest.raises(RegistryError, match=message):
        bring(store, ResolvedModel(layers=(layer,), config={"model_format": "x"}), Remote(weights=remote))
    assert untouched(store)


@pytest.mark.parametrize("file", ["../x", "/etc/x", "a/../../x", "a\\x", "c:x", "a//x", "x\0"])
def test_a_file_name_that_leads_out_of_the_folder_is_refused(store, file):
    """Wherever the registry says it, and before a byte is fetched."""
    layer = remote_layer(b"weights")
    with pytest.raises(RegistryError, match="leads out of the model's folder"):
        bring(store, ResolvedModel(layers=(LayerSource(layer.media_type, layer.blob, name=file),)), Remote())
    named = Layer(media_type=media_types.MODEL, digest=layer.blob.digest, size=layer.blob.size, name=file)
    manifest = encode_manifest(Manifest(config=named, layers=(named,)))
    with pytest.raises(RegistryError, match="leads out of the model's folder"):
        bring(store, ResolvedModel(layers=(layer,), manifest=manifest), Remote())
    assert untouched(store)


def test_a_local_file_with_another_digest_is_refused(store, make_gguf):
    with pytest.raises(RegistryError, match="digest mismatch"):
        bring(store, ResolvedModel(layers=(path_layer(make_gguf(), digest_of(b"other")),)))
    assert untouched(store)


@pytest.mark.parametrize("content", [b"random", b"GGUF", b"{}"])
def test_a_file_that_is_no_model_is_refused(store, content):
    with pytest.raises(InvalidModelFileError):
        bring(store, ResolvedModel(layers=(content_layer(media_types.MODEL, content),)))
    assert untouched(store)


@pytest.mark.parametrize("config", [{"model_format": 7}, {"context_length": "many"}])
def test_a_config_of_wrong_types_is_the_registrys_fault(store, config):
    with pytest.raises(RegistryError, match="config"):
        bring(store, ResolvedModel(layers=(content_layer(media_types.MODEL, ECHO),), config=config))
    assert untouched(store)


def test_progress_may_stop_the_work(store, make_gguf):
    class StopError(Exception):
        pass

    def stop(_digest: str, _total: int, completed: int) -> None:
        if completed:
            raise StopError

    with pytest.raises(StopError):
        install(store, NAME, ResolvedModel(layers=(path_layer(make_gguf()),)), Remote().open, stop)
    assert untouched(store)


def test_too_many_layers_are_refused(store):
    layers = (content_layer(media_types.SYSTEM, b"be kind"),) * 10_000
    with pytest.raises(RegistryError, match="10000 layers: too many"):
        bring(store, ResolvedModel(layers=layers))


def test_what_has_no_room_is_refused_before_the_first_byte(store):
    small, large = os.urandom(1000), BlobSource(digest=f"sha256:{'a' * 64}", size=1 << 60, url="large")
    remote = Remote(blob=small)
    layers = (remote_layer(small), LayerSource(media_types.ADAPTER, large))
    with pytest.raises(DiskFullError, match="not enough space for the model"):
        bring(store, ResolvedModel(layers=layers), remote)
    assert (remote.opened, list(store.blobs.folder.glob("[!.]*")), store.list()) == ([], [], [])


def test_what_had_the_name_stays_until_all_is_well(store):
    bring(store, ResolvedModel(layers=(content_layer(media_types.MODEL, ECHO),)))
    before = store.find(NAME)
    with pytest.raises(RegistryError):
        bring(store, ResolvedModel(layers=(remote_layer(b"right"),)), Remote(weights=b"wrong"))
    assert store.find(NAME) == before
