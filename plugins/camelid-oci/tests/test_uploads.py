import runpy
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import BlobToSend, TransientRegistryError
from camelid.errors import RegistryError
from camelid.testing.loopback import Fault
from camelid.types.names import ModelName
from camelid_oci import uploads
from camelid_oci.authorization import DockerLogins
from camelid_oci.registry import OciRegistry

UploadServer = runpy.run_path(str(Path(__file__).with_name("upload_server.py")))["UploadServer"]
MODEL = "application/vnd.ollama.image.model"
MEBIBYTE = 1 << 20
CONTENT = Random(6).randbytes(5 * MEBIBYTE + 17)


@pytest.fixture
def registry(tmp_path):
    registry = OciRegistry()
    registry._client = Client(DockerLogins(tmp_path / "docker"))
    with closing(registry._client):
        yield registry


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(uploads, "_PART", 2 * MEBIBYTE)


@pytest.fixture
def blob(tmp_path) -> BlobToSend:
    (tmp_path / "blob").write_bytes(CONTENT)
    return BlobToSend(MODEL, f"sha256:{sha256(CONTENT).hexdigest()}", len(CONTENT), tmp_path / "blob")


def name_at(server) -> ModelName:
    return ModelName.parse(f"oci+http://{server.host}/team/model")


def sent(server) -> list[tuple[str, int]]:
    """The requests that bring bytes."""
    return [(one.method, len(one.body)) for one in server.requests if one.method in ("PATCH", "PUT")]


def test_what_is_small_goes_in_one_request(registry, blob):
    with UploadServer() as server:
        registry.send(name_at(server), blob, lambda _: None)
        assert sent(server) == [("PUT", len(CONTENT))]
        assert server.blobs == {blob.digest: CONTENT}


@pytest.mark.usefixtures("small_parts")
def test_what_is_large_goes_in_parts(registry, blob):
    told: list[int] = []
    with UploadServer() as server:
        registry.send(name_at(server), blob, told.append)
        assert sent(server) == [("PATCH", 2 * MEBIBYTE)] * 2 + [("PATCH", MEBIBYTE + 17), ("PUT", 0)]
        assert server.blobs == {blob.digest: CONTENT}
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


@pytest.mark.usefixtures("small_parts")
def test_a_real_registry_takes_parts_and_knows_where_they_broke(source, blob):
    registry, name = source.make_registry(), name_at(source.server)

    def break_the_second(completed: int) -> None:
        if completed > 2 * MEBIBYTE:
            source.server.inject(Fault.DROPPED, 1)

    with pytest.raises(OSError, match="PATCH"):
        registry.send(name, blob, break_the_second)
    source.server.heal()
    registry.send(name, blob, lambda _: None)
    asked = [request.method for request in source.server.requests]
    assert (asked.count("POST"), asked.count("PATCH"), asked.count("GET")) == (1, 4, 1)
    assert source._http.get(f"/v2/team/model/blobs/{blob.digest}").content == CONTENT


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("trouble", ["cuts", "busy"])
def test_what_arrived_before_a_cut_is_not_sent_again(registry, blob, trouble):
    with UploadServer() as server:
        setattr(server, trouble, 3)
        for _ in range(3):
            with pytest.raises((OSError, TransientRegistryError)):
                registry.send(name_at(server), blob, lambda _: None)
        registry.send(name_at(server), blob, lambda _: None)
        assert server.blobs == {blob.digest: CONTENT}
        assert [request.method for request in server.requests].count("POST") == 1
        assert registry._uploads._broken == {}


@pytest.mark.usefixtures("small_parts")
def test_a_host_that_knows_no_parts_gets_all_at_once_from_then_on(registry, blob):
    with UploadServer(parts=False) as server:
        registry.send(name_at(server), blob, lambda _: None)
        assert sent(server) == [("PATCH", 2 * MEBIBYTE)] * 2 + [("PUT", len(CONTENT))]
        assert server.blobs.pop(blob.digest) == CONTENT
        registry.send(name_at(server), blob, lambda _: None)
        assert sent(server)[3:] == [("PUT", len(CONTENT))]


@pytest.mark.usefixtures("small_parts")
def test_a_host_that_takes_neither_is_refused(registry, blob):
    with UploadServer(parts=False, largest=3 * MEBIBYTE) as server:
        with pytest.raises(RegistryError, match="refused a part of a file: 416"):
            registry.send(name_at(server), blob, lambda _: None)
        assert [method for method, _ in sent(server)] == ["PATCH", "PATCH", "PUT", "PATCH", "PATCH"]


def test_a_host_says_how_small_parts_may_be(registry, blob, monkeypatch):
    monkeypatch.setattr(uploads, "_PART", MEBIBYTE)
    with UploadServer(smallest=3 * MEBIBYTE) as server:
        registry.send(name_at(server), blob, lambda _: None)
        assert sent(server) == [("PATCH", 3 * MEBIBYTE), ("PATCH", 2 * MEBIBYTE + 17), ("PUT", 0)]


@pytest.mark.parametrize("said", ["-1", "x", "9" * 5000, "0x10"])
def test_a_smallest_part_that_is_none_is_ignored(registry, blob, said):
    with UploadServer(smallest=said) as server:
        registry.send(name_at(server), blob, lambda _: None)
        assert server.blobs == {blob.digest: CONTENT}


def test_where_a_request_is_too_large_parts_get_smaller(registry, blob):
    with UploadServer(largest=MEBIBYTE) as server:
        registry.send(name_at(server), blob, lambda _: None)
        assert sent(server)[-7:] == [("PATCH", MEBIBYTE)] * 5 + [("PATCH", 17), ("PUT", 0)]
        assert server.blobs == {blob.digest: CONTENT}
    with UploadServer(largest=MEBIBYTE - 1) as server, pytest.raises(RegistryError, match="takes no requests"):
        registry.send(name_at(server), blob, lambda _: None)


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_the_host_forgot_begins_anew(registry, blob):
    with UploadServer() as server:
        server.cuts = 1
        with pytest.raises(OSError, match=r"PATCH"):
            registry.send(name_at(server), blob, lambda _: None)
        server.uploads.clear()
        registry.send(name_at(server), blob, lambda _: None)
        assert server.blobs == {blob.digest: CONTENT}


@pytest.mark.usefixtures("small_parts")
def test_a_host_that_forgets_a_part_takes_parts_all_the_same(registry, blob):
    with UploadServer() as server:
        with pytest.raises(TransientRegistryError, match="forgot"):
            registry.send(name_at(server), blob, lambda done: server.uploads.clear() if done > 2 * MEBIBYTE else None)
        registry.send(name_at(server), blob, lambda _: None)
        assert server.blobs == {blob.digest: CONTENT}
        assert sent(server)[2:] == [("PATCH", 2 * MEBIBYTE)] * 2 + [("PATCH", MEBIBYTE + 17), ("PUT", 0)]


@pytest.mark.usefixtures("small_parts")
def test_what_was_refused_is_not_gone_on_with(registry, blob, tmp_path):
    (tmp_path / "blob").write_bytes(CONTENT[::-1])
    with UploadServer() as server:
        with pytest.raises(RegistryError, match="digest invalid"):
            registry.send(name_at(server), blob, lambda _: None)
        assert registry._uploads._broken == {}


@pytest.mark.usefixtures("small_parts")
def test_only_so_many_broken_uploads_are_remembered(registry, blob, monkeypatch):
    monkeypatch.setattr(uploads, "_MOST_BROKEN", 2)
    with UploadServer() as server:
        server.cuts = 4
        for number in range(4):
            name = ModelName.parse(f"oci+http://{server.host}/team/model-{number}")
            with pytest.raises(OSError, match="PATCH"):
                registry.send(name, blob, lambda _: None)
        assert [key[0][-1] for key in registry._uploads._broken] == ["2", "3"]
