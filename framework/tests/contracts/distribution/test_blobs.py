"""What hosts say of a file in their answers' headers, which may be anything."""

import httpx
import pytest

from camelid.contracts.distribution.blobs import part_of, size_of, version_of
from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource, OnlyFromStartError
from camelid.errors import RegistryError

NOW = {"Date": "Sun, 06 Nov 1994 08:50:00 GMT"}
BLOB = BlobSource(digest=f"sha256:{'0a' * 32}", size=10, url="https://host/x")


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"ETag": '"1"'}, '"1"'),
        ({"ETag": 'W/"1"'}, ""),
        ({"ETag": "1"}, ""),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT", **NOW}, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:50:00 GMT", **NOW}, ""),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}, ""),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:49:37", **NOW}, ""),
        ({"Last-Modified": f"Sun, 06 Nov {'9' * 30} 08:49:37 GMT", **NOW}, ""),
        ({"Last-Modified": f"Sun, {'9' * 5000} Nov 1994 08:49:37 GMT", **NOW}, ""),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:49:37 +9999999999", **NOW}, ""),
        ({"Last-Modified": "yesterday", "Date": ""}, ""),
        ({}, ""),
    ],
)
def test_only_what_changes_with_each_byte_is_a_version(headers, version):
    assert version_of(httpx.Response(200, headers=headers)) == version


@pytest.mark.parametrize(
    ("status", "headers", "size"),
    [
        (200, {"Content-Length": "10"}, 10),
        (200, {"Content-Length": "9" * 5000}, UNKNOWN_SIZE),
        (200, {"Content-Length": "-1"}, UNKNOWN_SIZE),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/10"}, 10),
        (206, {"Content-Length": "1", "Content-Range": "bytes 0-0/*"}, UNKNOWN_SIZE),
        (206, {"Content-Length": "1"}, UNKNOWN_SIZE),
        (206, {"Content-Range": f"bytes 0-{'9' * 5000}/10"}, UNKNOWN_SIZE),
    ],
)
def test_the_size_is_that_of_the_whole_file(status, headers, size):
    assert size_of(httpx.Response(status, headers=headers)) == size


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (206, {}, "another part"),
        (206, {"Content-Range": "bytes 0-9/10"}, "another part"),
        (206, {"Content-Range": f"bytes {'9' * 5000}-{'9' * 5000}/10"}, "another part"),
        (206, {"Content-Range": "bytes 5-9/11"}, "sends more than it announced"),
        (206, {"Content-Range": "bytes 5-9/9"}, "has fewer bytes than it announced"),
        (206, {"Content-Range": "bytes 5-9/10", "Content-Encoding": "gzip"}, "compressed"),
    ],
)
def test_what_is_another_part_than_was_asked_for_is_refused(status, headers, words):
    with pytest.raises(RegistryError, match=words):
        part_of(httpx.Response(status, headers=headers), BLOB, 5)


def test_a_whole_file_is_no_part_of_it():
    with pytest.raises(OnlyFromStartError):
        part_of(httpx.Response(200, headers={"Content-Length": "10"}), BLOB, 5)
    answer = httpx.Response(200, headers={"Content-Encoding": "identity"}, stream=httpx.ByteStream(b"0123456789"))
    assert part_of(answer, BLOB, 0).read(10) == b"0123456789"
