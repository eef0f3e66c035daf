from pathlib import Path

import pytest

from camelid.errors import BlobNotFoundError, StoreError
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.digests import digest_of
from camelid.types.names import ModelName


@pytest.fixture
def builder(store) -> ModelBuilder:
    return ModelBuilder(store, ModelConfig(model_format="echo"))


def test_layers_say_whether_they_are_new(store, builder):
    digest = store.blobs.put(b"weights")
    builder.add_blob(media_types.MODEL, digest.replace(":", "-"))
    builder.add(media_types.SYSTEM, b"Be kind.")
    assert builder.statuses == (
        f"using existing layer {digest}",
        f"creating new layer {digest_of(b'Be kind.')}",
    )
    assert [layer.digest for layer in builder.layers] == [digest, digest_of(b"Be kind.")]


def test_what_another_model_has_is_an_existing_layer(store, builder):
    store.blobs.put(b"Be kind.")
    builder.add(media_types.SYSTEM, b"Be kind.")
    assert builder.statuses == (f"using existing layer {digest_of(b'Be kind.')}",)


def test_nothing_is_visible_before_write(store, builder):
    builder.add(media_types.MODEL, b"weights")
    assert store.list() == []
    builder.write(ModelName.parse("x"))
    assert [model.name.short for model in store.list()] == ["x:latest"]


def test_a_layer_takes_the_place_of_those_of_its_kind(builder):
    builder.add(media_types.MODEL, b"weights")
    builder.add(media_types.PROMPT, b"old")
    builder.add(media_types.TEMPLATE, b"newer")
    builder.replace(media_types.TEMPLATE, b"newest", media_types.PROMPT)
    assert [layer.digest for layer in builder.layers] == [digest_of(b"weights"), digest_of(b"newest")]


def test_the_same_license_twice_is_one_layer(builder):
    builder.add(media_types.LICENSE, b"MIT")
    builder.add(media_types.LICENSE, b"MIT")
    assert len(builder.layers) == 1


def test_an_inherited_layer_names_its_parent(store, add_model, builder):
    base = store.find(add_model("Base:v1"))
    assert base is not None
    builder.inherit(base)
    builder.write(ModelName.parse("child"))
    child = store.find(ModelName.parse("child"))
    assert child is not None
    assert child.parent == "Base:v1"
    assert {layer.from_ for layer in child.manifest.layers} == {"Base:v1"}
    assert child.manifest.digests - {child.manifest.config.digest} == {layer.digest for layer in base.manifest.layers}


def test_a_blob_that_is_not_here_cannot_be_used(store, add_model, builder):
    with pytest.raises(BlobNotFoundError, match="upload it"):
        builder.add_blob(media_types.MODEL, digest_of(b"missing"))
    base = store.find(add_model("base"))
    assert base is not None
    store.delete(base.name)
    with pytest.raises(StoreError, match="went missing"):
        builder.inherit(base)


@pytest.fixture
def work(store):
    """Makes a file as a converter does; its path."""
    with store.workplace() as workplace:

        def make(content: bytes = b"made") -> Path:
            path = workplace.target()
            path.write_bytes(content)
            return path

        yield make


def test_a_file_that_was_made_moves_into_the_store(store, builder, work):
    layer = builder.adopt(media_types.MODEL, path := work())
    assert not path.exists()
    assert (layer.digest, layer.size) == (digest_of(b"made"), 4)
    assert store.blobs.read(layer.digest, 10) == b"made"
    assert store.blobs.path(layer.digest).stat().st_mode & 0o777 == 0o644
    assert builder.statuses == (f"creating new layer {layer.digest}",)


def test_a_file_that_was_made_can_take_the_place_of_a_layer(store, add_model, builder, work):
    base = store.find(add_model("base"))
    assert base is not None
    builder.inherit(base)
    builder.adopt(media_types.MODEL, work(), instead=builder.layers[0])
    assert [layer.digest for layer in builder.layers] == [digest_of(b"made"), digest_of(b"Be kind.")]
    assert [layer.from_ for layer in builder.layers] == ["", "base:latest"]


def test_what_was_made_goes_unless_it_is_in_a_model(store, builder, work):
    lost = builder.adopt(media_types.MODEL, work(b"lost"))
    builder.drop(media_types.MODEL)
    kept = builder.adopt(media_types.MODEL, work(b"kept"))
    builder.write(ModelName.parse("x"))
    builder.close()
    assert (store.blobs.has(lost.digest), store.blobs.has(kept.digest)) == (False, True)


def test_what_was_made_stays_if_another_model_has_it_or_somebody_wants_it(store, builder, work):
    builder.adopt(media_types.MODEL, work(b"uploaded"))
    store.blobs.put(b"uploaded")
    builder.adopt(media_types.MODEL, work(b"shared"))
    other = ModelBuilder(store, ModelConfig(model_format="echo"))
    other.adopt(media_types.MODEL, work(b"shared"))
    other.write(ModelName.parse("other"))
    other.close()
    builder.close()
    assert store.blobs.has(digest_of(b"uploaded"))
    assert store.blobs.has(digest_of(b"shared"))


def test_hashing_can_be_stopped(store, builder, work):
    def stop(hashed: int) -> None:
        raise StopIteration(hashed)

    with pytest.raises(StopIteration):
        builder.adopt(media_types.MODEL, work(), on_progress=stop)
    assert not store.blobs.has(digest_of(b"made"))
