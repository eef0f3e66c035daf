from importlib import import_module

import pytest

from camelid.api import compression
from camelid.api.compression import decompressed
from camelid.errors import MissingDependencyError, RequestError

MEBIBYTE = 1 << 20


@pytest.fixture
def zstd():
    return import_module(compression._MODULE)


def test_frames_one_after_another(zstd):
    assert decompressed(zstd.compress(b"one ") + zstd.compress(b"two")) == b"one two"
    assert decompressed(b"") == b""
    assert decompressed(zstd.compress(b"x") * 64) == b"x" * 64


def test_as_much_as_is_allowed(zstd):
    assert decompressed(zstd.compress(bytes(20 * MEBIBYTE))) == bytes(20 * MEBIBYTE)


def test_what_cannot_be_decompressed(zstd):
    wide = {zstd.CompressionParameter.window_log: 25, zstd.CompressionParameter.content_size_flag: 0}
    for body in (
        b"{}",
        zstd.compress(b"abc" * 100)[:-3],
        zstd.compress(b"abc") + b"{}",
        zstd.compress(bytes(20 * MEBIBYTE + 1)),
        zstd.compress(bytes(20 * MEBIBYTE)) + zstd.compress(b"x"),
        zstd.compress(bytes(9 * MEBIBYTE), options=wide),
        zstd.compress(b"") * 65,
        bytes(20 * MEBIBYTE + 1),
    ):
        with pytest.raises(RequestError) as failure:
            decompressed(body)
        assert failure.value.message == "failed to decompress request body"
        assert failure.value.reason


def test_a_library_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(compression, "_MODULE", "no.such.module")
    with pytest.raises(MissingDependencyError, match=r"install backports\.zstd"):
        decompressed(b"x")
