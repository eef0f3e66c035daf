import os
import time

import msgspec
import pytest

from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource
from camelid.store.digests import digest_of
from camelid.store.origins import Origins

DIGEST = digest_of(b"weights")
BLOB = BlobSource(digest="", size=7, url="https://host/x", version='"1"')


@pytest.fixture
def origins(tmp_path) -> Origins:
    return Origins(tmp_path / "origins")


def test_what_came_from_where_is_known_to_the_next_one(origins, tmp_path):
    assert origins.find(BLOB) == ""
    origins.remember(BLOB, DIGEST)
    assert Origins(tmp_path / "origins").find(BLOB) == DIGEST
    assert b"host" not in b"".join(path.read_bytes() for path in (tmp_path / "origins").iterdir())


@pytest.mark.parametrize("other", [{"version": '"2"'}, {"url": "https://host/y"}, {"size": 8}])
def test_another_version_is_not_known(origins, other):
    origins.remember(BLOB, DIGEST)
    assert origins.find(msgspec.structs.replace(BLOB, **other)) == ""


@pytest.mark.parametrize("other", [{"version": ""}, {"size": UNKNOWN_SIZE}])
def test_what_may_change_is_not_remembered(origins, tmp_path, other):
    blob = msgspec.structs.replace(BLOB, **other)
    origins.remember(blob, DIGEST)
    assert origins.find(blob) == ""
    assert not (tmp_path / "origins").exists()


def test_what_is_no_digest_is_not_believed(origins, tmp_path):
    origins.remember(BLOB, DIGEST)
    (file,) = (tmp_path / "origins").iterdir()
    file.write_bytes(b"sha256:../../x")
    assert origins.find(BLOB) == ""


def test_what_belongs_to_no_blob_goes_when_it_is_old(origins, tmp_path):
    blobs, gone = tmp_path / "blobs", msgspec.structs.replace(BLOB, url="https://host/gone")
    blobs.mkdir()
    (blobs / DIGEST.replace(":", "-")).write_bytes(b"weights")
    origins.remember(BLOB, DIGEST)
    origins.remember(gone, digest_of(b"gone"))
    origins.sweep(blobs)
    assert origins.find(gone)
    long_ago = time.time() - 7200
    for path in (tmp_path / "origins").iterdir():
        os.utime(path, (long_ago, long_ago))
    origins.sweep(blobs)
    assert (origins.find(BLOB), origins.find(gone)) == (DIGEST, "")


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "origins").write_bytes(b"")
    origins = Origins(tmp_path / "origins")
    origins.remember(BLOB, DIGEST)
    assert origins.find(BLOB) == ""
    origins.sweep(tmp_path)
