"""What a store remembers of manifests, and what others may change at any moment."""

import time
from pathlib import Path

import pytest

from camelid.store.manifest_tree import Stamp
from camelid.store.store import Store
from camelid.types.names import ModelName


def name(text: str) -> ModelName:
    return ModelName.parse(text)


def manifest_path(store: Store, model: str) -> Path:
    return store.root / "manifests/registry.ollama.ai/library" / model / "latest"


@pytest.fixture
def later(monkeypatch):
    """The store's clock is an hour ahead: every file counts as old."""
    now = time.time_ns
    monkeypatch.setattr("camelid.store.store.time.time_ns", lambda: now() + 3_600_000_000_000)


def systems(store: Store) -> dict[str, str]:
    return {model.name.short: model.system for model in store.list()}


@pytest.mark.usefixtures("later")
def test_what_another_program_does_shows_at_once_in_lists_that_are_remembered(store, add_model):
    add_model("a", system="one")
    add_model("b", system="two")
    assert systems(store) == {"a:latest": "one", "b:latest": "two"}
    other = Store(store.root)
    b = other.find(name("b"))
    other.copy(name("b"), name("c"))
    assert systems(store) == {"a:latest": "one", "b:latest": "two", "c:latest": "two"}
    other.copy(name("b"), name("a"))
    assert systems(store) == {"a:latest": "two", "b:latest": "two", "c:latest": "two"}
    other.delete(name("b"))
    assert systems(store) == {"a:latest": "two", "c:latest": "two"}
    path = manifest_path(store, "a")
    path.write_bytes(path.read_bytes().replace(b"\n", b" \n"))
    assert {model.name.short: model.digest for model in store.list()}["a:latest"] != b.digest


@pytest.mark.usefixtures("later")
def test_a_manifest_written_in_place_within_the_same_size_shows_at_once(store, add_model):
    add_model("a", system="one")
    add_model("b", system="two")
    assert systems(store)["a:latest"] == "one"
    manifest_path(store, "a").write_bytes(manifest_path(store, "b").read_bytes())
    assert systems(store)["a:latest"] == "two"


def test_a_file_is_trusted_only_when_its_clock_has_ticked():
    stamp = Stamp(inode=1, size=2, modified=5_000_000_000, changed=6_000_000_000)
    assert not stamp.settled(6_000_000_000)
    assert not stamp.settled(8_500_000_000)
    assert stamp.settled(8_500_000_001)
    assert not stamp.settled(0), "a clock that runs behind that of the file system"


def test_a_young_manifest_is_read_again_each_time(store, add_model):
    add_model("a", system="one")
    first, second = store.list(), store.list()
    assert first == second
    assert first[0] is not second[0]


@pytest.mark.usefixtures("later")
def test_what_is_remembered_of_a_model_is_as_good_as_new(store, add_model):
    add_model("a", system="one")
    first = store.list()
    assert store.list()[0] is first[0]
    assert Store(store.root).list() == first
    assert store.find(name("a")) == first[0]
