"""What hosts of files do that speak no protocol of registries."""

import logging
from pathlib import Path

import pytest

from camelid.errors import InvalidModelFileError, RegistryError
from camelid.store.digests import digest_of
from camelid.testing.loopback import Fault, Reply
from camelid.testing.registry_source import Client
from camelid.testing.suite.pulling import weights
from camelid.testing.tiny_gguf import write_language_model
from camelid.types.names import ModelName

PATH = "/models/small.gguf"


@pytest.fixture
def client(source, tmp_path) -> Client:
    return Client(source, tmp_path / "models")


@pytest.fixture
def content() -> bytes:
    return weights()


def put(source, path: str, content: bytes = b"") -> ModelName:
    if content:
        source.server.shelf[path.partition("?")[0]] = content
    return ModelName.parse(f"http://{source.server.host}{path}")


def stored(client: Client, name: ModelName) -> bytes:
    model = client.store.find(name)
    assert model is not None
    return Path(model.artifact.model.path).read_bytes()


def ranges(source) -> list[str]:
    return [request.headers.get("range", "") for request in source.server.requests]


@pytest.mark.parametrize(
    ("says", "again"),
    [
        ({"ETag": '"1"'}, False),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}, False),
        ({"ETag": 'W/"1"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}, False),
        ({"ETag": 'W/"1"'}, True),
        ({"Last-Modified": "Sun, 06 Nov 2994 08:49:37 GMT"}, True),
        ({"Last-Modified": "yesterday"}, True),
        ({}, True),
    ],
)
def test_what_may_have_changed_is_fetched_again(source, client, content, says, again):
    source.server.says = lambda _content: says
    name = put(source, PATH, content)
    client.pull(name)
    assert stored(client, name) == content
    before = source.server.sent
    client.pull(name)
    assert source.server.sent == before + again * len(content)
    assert client.remains() == []


def test_a_host_that_says_nothing_is_read_in_one_go(source, client, content):
    source.server.says = lambda _content: {}
    source.server.inject(Fault.CUT, 2)
    name = put(source, PATH, content)
    client.pull(name)
    assert stored(client, name) == content
    assert ranges(source) == ["bytes=0-0", "", "", ""]


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {}])
def test_a_host_that_knows_neither_lengths_nor_ranges_is_read_to_the_end(source, client, content, headers):
    name = put(source, PATH, content)
    source.server.sized = False
    source.server.says = lambda _content: headers
    source.server.inject(Fault.CUT, 2)
    client.pull(name)
    assert stored(client, name) == content
    assert client.remains() == []


def test_a_file_that_was_cut_off_where_nobody_knew_its_length_is_refused(source, client, tmp_path):
    write_language_model(tmp_path / "whole.gguf")
    name = put(source, PATH, (tmp_path / "whole.gguf").read_bytes()[:-1000])
    source.server.sized = False
    with pytest.raises(InvalidModelFileError, match="truncated"):
        client.pull(name)
    assert client.store.find(name) is None


def test_a_file_that_changes_while_it_is_fetched_is_refused(source, client, content):
    name, versions = put(source, PATH, content), iter(range(1000))
    source.server.says = lambda _content: {"ETag": f'"{next(versions)}"'}
    with pytest.raises(RegistryError, match="the file was changed while it was fetched: try again"):
        client.pull(name)
    assert client.store.find(name) is None


@pytest.mark.parametrize("page", [b"<html>please log in</html>", b"GG", b"?", b""])
def test_a_page_is_no_model(source, client, page):
    source.server.replies[PATH] = Reply(200, page, {"ETag": '"1"'})
    name = put(source, f"{PATH}?token=secret")
    source.server.replies[f"{PATH}?token=secret"] = source.server.replies[PATH]
    with pytest.raises(RegistryError, match=r"there is no GGUF file at http://[^?]*/models/small\.gguf: open"):
        client.pull(name)
    assert client.store.find(name) is None
    assert client.remains() == []


def test_pieces_are_fetched_together(source, client, content):
    name = put(source, "/m/x-00002-of-00002.gguf?download=true", content)
    with pytest.raises(RegistryError, match="file does not exist"):
        client.pull(name)
    put(source, "/m/x-00001-of-00002.gguf", content + b"first")
    client.pull(name)
    model = client.store.find(name)
    assert [layer.digest for layer in model.manifest.layers] == [digest_of(content + b"first"), digest_of(content)]
    with pytest.raises(RegistryError, match="3 files make this model, and the host does not have all of them"):
        client.pull(put(source, "/m/x-00001-of-00003.gguf", content))
    with pytest.raises(RegistryError, match="512 files at most"):
        client.pull(put(source, "/m/x-00001-of-99999.gguf", content))


@pytest.mark.parametrize(
    "location",
    [
        *("file:///etc/passwd", "ftp://127.0.0.1/x.gguf", "http://me:secret@{host}/models/other.gguf"),
        *("http://:secret@{host}/models/other.gguf", "http://127.0.0.1:99999/x"),
    ],
)
def test_a_redirect_to_where_nobody_may_follow_is_refused(source, client, content, location):
    put(source, "/models/other.gguf", content)
    source.server.replies[PATH] = Reply(302, headers={"Location": location.format(host=source.server.host)})
    with pytest.raises(RegistryError) as refused:
        client.pull(put(source, PATH))
    assert "see the server's log" not in refused.value.message
    assert ":secret" not in f"{refused.value.message} {refused.value.reason}"
    assert [request.path for request in source.server.requests] == [PATH]
    assert not client.store.list()


def test_a_redirect_in_circles_is_refused(source, client):
    source.server.replies[PATH] = Reply(302, headers={"Location": PATH})
    with pytest.raises(RegistryError, match="redirects in circles"):
        client.pull(put(source, PATH))


def test_a_login_is_not_to_be_had(source, client):
    source.server.replies[PATH] = Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1 wants a login, and addresses have none"):
        client.pull(put(source, PATH))
    assert not any("authorization" in request.headers for request in source.server.requests)


def test_what_a_host_says_of_its_inside_stays_in_the_log(source, client):
    source.server.replies[PATH] = Reply(403, b"inside: secret")
    with pytest.raises(RegistryError) as refused:
        client.pull(put(source, PATH))
    assert refused.value.message == "pull model manifest: 127.0.0.1 answers with status 403"
    assert "inside: secret" in refused.value.reason


@pytest.mark.parametrize("fault", [None, Fault.GONE, Fault.CORRUPT, Fault.CUT, Fault.SHORT, Fault.LONG, Fault.CIRCLE])
def test_a_query_is_sent_and_neither_stored_nor_logged(source, client, caplog, tmp_path, fault):
    caplog.set_level(logging.DEBUG, "camelid")
    # As `camelid serve` has them: the libraries' own words repeat addresses.
    caplog.set_level(logging.WARNING, "httpx")
    caplog.set_level(logging.ERROR, "urllib3")
    name = put(source, f"{PATH}?token=secret", weights(300_000))
    said = ""
    if fault is None:
        client.pull(name)
    else:
        source.server.inject(fault)
        with pytest.raises(RegistryError) as refused:
            client.pull(name)
        said = f"{refused.value.message} {refused.value.reason}"
    assert source.server.requests[0].path == f"{PATH}?token=secret"
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"token=" not in kept
    assert "token=" not in caplog.text + said + " ".join(map(str, tmp_path.rglob("*")))
