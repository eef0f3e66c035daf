import json
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from camelid.errors import CorruptManifestError, IncompleteModelError, RequestError, StoreError
from camelid.store import folder_turn, media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.digests import digest_of
from camelid.store.leases import FOLDER, Leases
from camelid.store.manifest import Layer, Manifest, encode_manifest
from camelid.store.store import Store
from camelid.store.transfer_partial import PREFIX
from camelid.types.artifact import FileRole
from camelid.types.messages import Message
from camelid.types.names import ModelName


def name(text: str) -> ModelName:
    return ModelName.parse(text)


def shorts(store: Store) -> list[str]:
    return [model.name.short for model in store.list()]


def blob_count(store: Store) -> int:
    return len(list(store.blobs.folder.glob("sha256-*")))


def manifest_path(store: Store, text: str) -> Path:
    parts = name(text)
    return store.root / "manifests" / parts.host / parts.namespace / parts.model / parts.tag


def test_an_empty_folder_is_an_empty_store(root):
    store = Store(root)
    assert store.list() == []
    assert store.find(name("x")) is None
    assert not store.delete(name("x"))
    assert not store.copy(name("x"), name("y"))
    assert sorted(path.name for path in root.iterdir()) == ["blobs", "manifests"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="models folder"):
        Store(tmp_path / "file" / "models")


def test_a_model_is_read_with_everything_it_has(store):
    builder = ModelBuilder(store, ModelConfig(model_format="onnx", model_family="phi3", context_length=99))
    contents = [
        (media_types.MODEL, b"weights"),
        (media_types.PROJECTOR, b"eyes"),
        (media_types.ADAPTER, b"lora"),
        (media_types.DRAFT, b"draft"),
        (media_types.PROMPT, b"{{ .Old }}"),
        (media_types.TEMPLATE, "{{ .Prompt }}ü".encode()),
        (media_types.SYSTEM, b"Be kind."),
        (media_types.PARAMS, b'{"stop":["<|x|>"],"temperature":0.5}\n'),
        (media_types.MESSAGES, b'[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]\n'),
        (media_types.LICENSE, b"MIT"),
        (media_types.LICENSE, b"BSD"),
        ("application/vnd.ollama.image.embed", b"obsolete"),
    ]
    for media_type, content in contents:
        builder.add(media_type, content)
    builder.write(name("everything:v1"))
    model = store.find(name("Everything:V1"))
    assert model is not None
    path = manifest_path(store, "everything:v1")
    assert model.name.short == "everything:v1"
    assert model.digest == sha256(path.read_bytes()).hexdigest()
    assert model.modified_at == path.stat().st_mtime
    assert model.size == sum(len(content) for _type, content in contents) + model.manifest.config.size
    assert model.config.model_family == "phi3"
    assert model.config.context_length == 99
    assert model.template == "{{ .Prompt }}ü"
    assert model.system == "Be kind."
    assert model.params == {"stop": ["<|x|>"], "temperature": 0.5}
    assert model.messages == (Message(role="user", content="hi"), Message(role="assistant", content="ho"))
    assert model.licenses == ("MIT", "BSD")
    assert (model.parent, model.header) == ("", None)
    artifact = model.artifact
    assert (artifact.name, artifact.format, artifact.config["os"]) == ("everything:v1", "onnx", "linux")
    assert [(file.role, Path(file.path).read_bytes(), file.size) for file in artifact.files] == [
        (FileRole.MODEL, b"weights", 7),
        (FileRole.PROJECTOR, b"eyes", 4),
        (FileRole.ADAPTER, b"lora", 4),
        (FileRole.DRAFT, b"draft", 5),
    ]
    assert all(Path(file.path).is_absolute() for file in artifact.files)
    assert artifact.model.digest == digest_of(b"weights")


def test_the_header_of_a_gguf_model_is_known(store, make_gguf):
    builder = ModelBuilder(store, ModelConfig())
    builder.add_blob(media_types.MODEL, store.blobs.link(make_gguf()))
    builder.add_blob(media_types.PROJECTOR, store.blobs.link(make_gguf("mmproj.gguf", architecture="clip")))
    builder.write(name("tiny"))
    model = store.find(name("tiny"))
    assert model is not None
    assert model.artifact.format == "gguf"
    assert model.header is not None
    assert model.projector is not None
    assert (model.header.architecture, model.projector.architecture) == ("llama", "clip")


def test_the_header_of_a_healed_file_is_known(store, make_gguf):
    builder = ModelBuilder(store, ModelConfig())
    digest = store.blobs.link(make_gguf())
    builder.add_blob(media_types.MODEL, digest)
    builder.write(name("tiny"))
    content, path = store.blobs.path(digest).read_bytes(), store.blobs.path(digest)
    path.write_bytes(b"rot")
    fresh = Store(store.root)
    damaged = fresh.find(name("tiny"))
    assert damaged is not None
    assert damaged.header is None
    fresh.blobs.put(content)
    fresh.write(name("tiny"), damaged.manifest)
    healed = fresh.find(name("tiny"))
    assert healed is not None
    assert healed.header is not None
    assert healed.header.architecture == "llama"


def test_a_broken_gguf_file_is_a_model_without_a_header(store):
    builder = ModelBuilder(store, ModelConfig(model_format="gguf"))
    builder.add(media_types.MODEL, b"GGUF, or so it seems")
    builder.write(name("broken"))
    model = store.find(name("broken"))
    assert model is not None
    assert model.header is None
    assert shorts(store) == ["broken:latest"]


def test_what_another_server_pulled_is_kept_byte_for_byte(store):
    config = store.blobs.put(b'{"model_format":"gguf","model_families":null,"rootfs":{"type":"layers"}}')
    layer = f'{{"digest":"{config}","mediaType":"x","size":69}}'
    content = f'{{"schemaVersion": 2,  "config": {layer},\n "layers": null}}'.encode()
    store.write(name("pulled"), content)
    assert manifest_path(store, "pulled").read_bytes() == content
    model = store.find(name("pulled"))
    assert model is not None
    assert model.digest == sha256(content).hexdigest()
    assert model.artifact.files == ()
    assert model.artifact.config["rootfs"] == {"type": "layers"}


def test_a_manifest_is_not_written_before_its_blobs_are_here(store):
    missing = Layer(media_type=media_types.CONFIG, digest=digest_of(b"never stored"), size=1)
    with pytest.raises(StoreError, match=missing.digest):
        store.write(name("x"), Manifest(config=missing))
    assert store.list() == []
    with pytest.raises(CorruptManifestError):
        store.write(name("x"), b"no manifest")


def test_creating_in_another_case_replaces(store, add_model):
    assert add_model("Llama3").short == "Llama3:latest"
    assert add_model("LLAMA3", system="new").short == "Llama3:latest"
    assert shorts(store) == ["Llama3:latest"]
    assert store.list()[0].system == "new"


def test_replacing_drops_what_nobody_else_uses(store, add_model):
    add_model("one", system="shared")
    add_model("two", system="shared")
    count = blob_count(store)
    add_model("one", system="own")
    assert blob_count(store) == count + 1
    add_model("one", system="own again")
    assert blob_count(store) == count + 1
    assert [model.system for model in store.list()] == ["own again", "shared"]


def test_replacing_keeps_blobs_if_nothing_is_to_be_pruned(root):
    store = Store(root, prune=False)
    for text in ("a", "b"):
        builder = ModelBuilder(store, ModelConfig(model_format="echo"))
        builder.add(media_types.SYSTEM, text.encode())
        builder.write(name("x"))
    assert store.blobs.has(digest_of(b"a"))
    assert store.blobs.has(digest_of(b"b"))


def test_a_file_that_is_in_use_does_not_keep_its_model_from_being_deleted(store, add_model, monkeypatch, caplog):
    add_model("a")

    def refuse(self, *_):
        raise PermissionError(13, "used by another process", str(self))

    with monkeypatch.context() as windows:
        windows.setattr(Path, "rename", refuse)
        assert store.delete(name("a"))
    assert shorts(store) == []
    assert "used by another process" in caplog.text
    assert blob_count(store) == 3


def test_a_copy_shares_blobs_and_outlives_the_original(store, add_model):
    add_model("one")
    count = blob_count(store)
    assert store.copy(name("ONE"), name("bob/two"))
    assert blob_count(store) == count
    assert store.delete(name("one"))
    assert shorts(store) == ["bob/two:latest"]
    copied = store.find(name("bob/two"))
    assert copied is not None
    assert (copied.system, copied.artifact.name) == ("Be kind.", "bob/two:latest")
    assert blob_count(store) == count
    assert store.delete(name("BOB/TWO"))
    assert blob_count(store) == 0
    assert list((store.root / "manifests").iterdir()) == []


def test_a_copy_onto_itself_changes_nothing(store, add_model):
    add_model("one")
    before = manifest_path(store, "one").stat().st_mtime_ns
    assert store.copy(name("one"), name("ONE"))
    assert manifest_path(store, "one").stat().st_mtime_ns == before
    assert shorts(store) == ["one:latest"]


def test_a_corrupt_manifest_is_left_out_of_lists_and_told_once(store, add_model, caplog):
    add_model("good")
    add_model("bad")
    path = manifest_path(store, "bad")
    path.write_bytes(path.read_bytes()[:50])
    with caplog.at_level(logging.WARNING):
        assert shorts(store) == ["good:latest"]
        assert shorts(store) == ["good:latest"]
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(CorruptManifestError, match="bad:latest"):
        store.find(name("bad"))


def test_a_corrupt_manifest_can_be_deleted_and_costs_no_blobs(store, add_model):
    add_model("good")
    add_model("bad", system="bad")
    count = blob_count(store)
    manifest_path(store, "bad").write_bytes(b"\0")
    assert store.delete(name("bad"))
    assert blob_count(store) == count
    assert store.find(name("bad")) is None


def test_nothing_is_removed_while_it_cannot_be_known_who_uses_it(store, add_model):
    add_model("one")
    add_model("bad")
    manifest_path(store, "bad").write_bytes(b"\0")
    count = blob_count(store)
    assert store.delete(name("one"))
    assert blob_count(store) == count


def test_a_model_whose_blob_has_gone_is_incomplete(store, add_model):
    add_model("one", system="gone")
    store.blobs.path(digest_of(b"gone")).unlink()
    with pytest.raises(IncompleteModelError, match="one:latest is incomplete"):
        store.find(name("one"))
    fresh = Store(store.root)
    with pytest.raises(IncompleteModelError, match="one:latest is incomplete"):
        fresh.find(name("one"))
    assert fresh.list() == []


@pytest.mark.parametrize("config", [b"", b"[]", b'{"model_format": 7}', b"\xff", b'{"x":' * 50_000])
def test_a_broken_config_is_a_corrupt_model(store, config):
    digest = store.blobs.put(config)
    layer = Layer(media_type=media_types.CONFIG, digest=digest, size=len(config))
    store.write(name("x"), encode_manifest(Manifest(config=layer)))
    assert store.list() == []
    with pytest.raises(CorruptManifestError, match="x:latest is corrupt"):
        store.find(name("x"))


@pytest.mark.parametrize("media_type", [media_types.PARAMS, media_types.MESSAGES])
@pytest.mark.parametrize(("content", "valid"), [(b"null", True), (b'"text"', False), (b"{", False), (b"\xff", False)])
def test_broken_json_layers_are_a_corrupt_model(store, media_type, content, valid):
    builder = ModelBuilder(store, ModelConfig(model_format="echo"))
    builder.add(media_type, content)
    builder.write(name("x"))
    assert len(store.list()) == valid
    if not valid:
        with pytest.raises(CorruptManifestError):
            store.find(name("x"))


def test_invalid_names_are_refused(store):
    for use in (store.find, store.delete):
        with pytest.raises(RequestError, match="invalid model name"):
            use(ModelName("..", "..", "..", "etc"))


def test_fifty_models_are_listed_again_without_reading_their_blobs(store, add_model, monkeypatch):
    for number in range(50):
        add_model(f"m{number:02}", system=f"system {number}")
    first = store.list()
    monkeypatch.setattr(store.blobs, "read", lambda *_: pytest.fail("read a blob again"))
    assert store.list() == first
    assert [model.system for model in first] == [f"system {number}" for number in range(50)]


def test_old_unused_blobs_and_remains_go_at_start(root, store, add_model):
    add_model("one")
    used = {path.name for path in store.blobs.folder.glob("sha256-*")}
    old = [store.blobs.path(store.blobs.put(b"unused")), *(store.blobs.folder / text for text in _REMAINS)]
    for path in old[1:]:
        path.write_bytes(b"x")
    stray = root / "manifests" / ".new-99"
    stray.write_bytes(b"{}")
    empty = root / "manifests" / "host" / "namespace" / "model"
    empty.mkdir(parents=True)
    young = store.blobs.put(b"young")
    store.blobs.claim([digest_of(b"unused")])
    for path in [*old, stray, *(store.blobs.folder / text for text in used)]:
        os.utime(path, (time.time() - 3700,) * 2)
    Store(root, prune=False)
    assert all(path.exists() for path in old)
    Store(root)
    assert {path.name for path in store.blobs.folder.iterdir()} - {FOLDER} == used | {young.replace(":", "-")}
    assert [path.name for path in (root / "manifests").iterdir()] == ["registry.ollama.ai"]


_REMAINS = (
    f"sha256-{'0' * 64}-partial",
    f"sha256-{'0' * 64}-partial-3",
    "sha256-1234567890",
    f"sha256-{'A' * 64}",
    "notes.txt",
)


@pytest.mark.parametrize(("hours", "stays"), [(23, True), (25, False)])
def test_what_is_left_of_a_download_goes_after_a_day(root, store, hours, stays):
    left = [store.blobs.folder / f"{PREFIX}{'a' * 64}{end}" for end in ("", ".counts", "-0123abcd", "-0123abcd.counts")]
    for path in left:
        path.write_bytes(b"x")
        os.utime(path, (time.time() - hours * 3600,) * 2)
    Store(root)
    assert [path.exists() for path in left] == [stays] * 4


def test_a_store_that_may_not_be_changed_can_still_be_used(root, store, add_model, monkeypatch, caplog):
    def refuse(path: Path, *_: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    add_model("one")
    unused = store.blobs.path(store.blobs.put(b"unused"))
    store.blobs.claim([digest_of(b"unused")])
    os.utime(unused, (1000, 1000))
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    opened = Store(root)
    assert f"{unused.name} stays for now" in caplog.text
    assert shorts(opened) == ["one:latest"]


def test_no_other_server_waits_for_what_takes_long(root, store, add_model, monkeypatch):
    """Until a manifest is on the disk for certain, and until the bytes of large blobs have gone."""
    monkeypatch.setattr(folder_turn, "_PATIENCE", 0.01)
    done = []

    def beside_others(function):
        def slow(argument) -> None:
            with Leases(store.blobs.folder).exclusive():
                function(argument)
            done.append(function)

        return slow

    fsync, remove = os.fsync, folder_turn._remove
    monkeypatch.setattr(os, "fsync", beside_others(fsync))
    monkeypatch.setattr(folder_turn, "_remove", beside_others(remove))
    add_model("one")
    add_model("one", system="Be brief.")
    assert store.delete(name("one"))
    unused = store.blobs.path(store.blobs.put(b"unused"))
    store.blobs.claim([digest_of(b"unused")])
    os.utime(unused, (1000, 1000))
    (root / "manifests" / ".new-1").touch()
    os.utime(root / "manifests" / ".new-1", (1000, 1000))
    Store(root)
    assert [path.name for path in store.blobs.folder.iterdir()] == [FOLDER]
    assert [path.name for path in (root / "manifests").iterdir()] == []
    assert set(done) == {remove, fsync}


def test_nothing_goes_at_start_while_a_manifest_is_corrupt(root, store, add_model):
    add_model("bad")
    manifest_path(store, "bad").write_bytes(b"\0")
    unused = store.blobs.path(store.blobs.put(b"unused"))
    store.blobs.claim([digest_of(b"unused")])
    os.utime(unused, (1000, 1000))
    Store(root)
    assert unused.exists()


def test_blobs_with_a_colon_in_their_name_are_renamed(root, store, add_model):
    add_model("one")
    for path in list(store.blobs.folder.iterdir()):
        path.rename(path.with_name(path.name.replace("sha256-", "sha256:")))
    model = Store(root).find(name("one"))
    assert model is not None
    assert model.system == "Be kind."


def test_the_two_folders_may_be_links_to_another_disk(tmp_path, root):
    root.mkdir()
    for folder in ("blobs", "manifests"):
        (tmp_path / "disk" / folder).mkdir(parents=True)
        (root / folder).symlink_to(tmp_path / "disk" / folder)
    store = Store(root)
    builder = ModelBuilder(store, ModelConfig(model_format="echo"))
    builder.write(name("x"))
    assert shorts(store) == ["x:latest"]
    assert len(list((tmp_path / "disk" / "blobs").glob("sha256-*"))) == 1


def test_making_and_deleting_at_once_never_leaves_a_model_incomplete(store):
    start = threading.Barrier(6)

    def churn(number: int) -> None:
        start.wait()
        for _ in range(8):
            builder = ModelBuilder(store, ModelConfig(model_format="echo"))
            builder.add(media_types.SYSTEM, b"shared by all")
            builder.write(name(f"m{number}"))
            found = store.find(name(f"m{number}"))
            assert found is not None
            assert found.system == "shared by all"
            assert store.delete(name(f"m{number}"))

    with ThreadPoolExecutor(6) as threads:
        for future in [threads.submit(churn, number) for number in range(6)]:
            future.result()
    assert store.list() == []


def test_a_config_is_written_as_ollama_reads_it(store, add_model):
    add_model("one")
    model = store.find(name("one"))
    assert model is not None
    content = store.blobs.read(model.manifest.config.digest, 1000)
    assert content.endswith(b"}\n")
    assert json.loads(content) == {
        "model_format": "echo",
        "model_family": "echo",
        "architecture": "amd64",
        "os": "linux",
    }
