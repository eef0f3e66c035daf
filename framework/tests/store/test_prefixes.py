"""Prompts in files go with their models."""

import os

import pytest

from camelid.store.prefixes import Prefixes


@pytest.fixture
def folder(tmp_path):
    """Prompts of two models, of which one is in the store, and files that are being written."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "sha256-here").touch()
    for model in ("sha256-here", "sha256-gone"):
        place = tmp_path / "prefixes" / model / "identity"
        place.mkdir(parents=True)
        for name in ("one.prefix", "old.part", "fresh.part"):
            (place / name).touch()
        os.utime(place / "old.part", (1, 1))
    return tmp_path


def names(folder):
    return sorted(f"{path.parts[-3]}/{path.name}" for path in (folder / "prefixes").glob("*/*/*"))


def test_a_sweep_removes_what_belongs_to_no_blob_and_what_was_left_unfinished(folder):
    Prefixes(folder / "prefixes").sweep(folder / "blobs")
    assert names(folder) == ["sha256-here/fresh.part", "sha256-here/one.prefix"]


def test_a_model_takes_its_prompts_along(folder):
    Prefixes(folder / "prefixes").forget("sha256-here")
    assert {name.partition("/")[0] for name in names(folder)} == {"sha256-gone"}


def test_all_of_them_go_where_nobody_wants_them(folder):
    prefixes = Prefixes(folder / "prefixes")
    prefixes.forget_all()
    prefixes.forget_all()
    prefixes.sweep(folder / "blobs")
    assert not (folder / "prefixes").exists()
