"""A disk without space: the upload fails with a sentence, nothing half-written stays, and the server goes on."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

MEGABYTE = 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk is a tmpfs in a mount namespace of its own")
def test_a_full_disk_fails_the_upload_alone(start_server, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    mount = f'mount -t tmpfs -o size=8m none "{models}" && exec "$@"'
    server = start_server(within=["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"])
    blobs = f"/proc/{server.process.pid}/root{models}/blobs"

    def upload(megabytes):
        content = os.urandom(megabytes * MEGABYTE)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return digest, server.http.post(f"/api/blobs/{digest}", content=content)

    digest, answer = upload(20)
    assert answer.status_code == 507
    assert "space" in answer.json()["error"]
    assert server.http.head(f"/api/blobs/{digest}").status_code == 404
    assert list(Path(blobs).iterdir()) == []
    digest, answer = upload(4)
    assert answer.status_code == 201
    assert server.http.head(f"/api/blobs/{digest}").status_code == 200
