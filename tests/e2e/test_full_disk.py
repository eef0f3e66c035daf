"""A disk without space: the upload fails with a sentence, nothing half-written stays, and the server goes on."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

MEGABYTE = 1024 * 1024


@pytest.fixture
def small_disk(start_server, tmp_path):
    """A server whose models lie on a disk of 8 MiB, and its folder of blobs."""
    models = tmp_path / "models"
    models.mkdir()
    mount = f'mount -t tmpfs -o size=8m none "{models}" && exec "$@"'
    server = start_server(within=["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"])
    return server, Path(f"/proc/{server.process.pid}/root{models}/blobs")


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk is a tmpfs in a mount namespace of its own")
def test_a_full_disk_fails_the_upload_alone(small_disk):
    server, blobs = small_disk

    def upload(megabytes):
        content = os.urandom(megabytes * MEGABYTE)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return digest, server.http.post(f"/api/blobs/{digest}", content=content)

    digest, answer = upload(20)
    assert answer.status_code == 507
    assert "space" in answer.json()["error"]
    assert server.http.head(f"/api/blobs/{digest}").status_code == 404
    assert list(blobs.glob("[!.]*")) == []
    digest, answer = upload(4)
    assert answer.status_code == 201
    assert server.http.head(f"/api/blobs/{digest}").status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk is a tmpfs in a mount namespace of its own")
def test_a_conversion_that_has_no_room_is_refused_before_it_begins(small_disk):
    server, blobs = small_disk
    content = os.urandom(5 * MEGABYTE)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert server.http.post(f"/api/blobs/{digest}", content=content).status_code == 201
    answer = server.post("/api/create", model="m", files={"model.safetensors": digest}, stream=False)
    assert answer.status_code == 507
    assert answer.json()["error"].startswith("not enough space for the converted model")
    assert [path.name for path in blobs.glob("[!.]*")] == [digest.replace(":", "-")]
