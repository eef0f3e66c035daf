import pytest

from camelid.errors import InvalidModelFileError
from camelid.store.formats import sniff_format


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"GGUF\x03\0\0\0", "gguf"),
        (b"lmgg\x61\xc4\0\0", "ggml"),
        (b"tjgg\x03\0\0\0", "ggml"),
        (b"ccgg\x0a\0\0\0", "ggml"),
        (b'{"camelid_backend": "echo"}\n', "echo"),
        (b'\n  {"x": 1, "camelid_backend": "another"}', "another"),
        (b'{"camelid_backend": 7}', None),
        (b'{"camelid_backend": ""}', None),
        (b'{"camelid_backend": "echo"', None),
        (b'{"backend": "echo"}', None),
        (b'["camelid_backend"]', None),
        (b'{"a":' * 100_000, None),
        (b'{"camelid_backend": "\xff"}', None),
        (b"", None),
        (b"PK\x03\x04", None),
    ],
)
def test_the_first_bytes_tell_the_format(tmp_path, content, found):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert sniff_format(path) == found


def test_a_file_that_is_not_there_has_no_format(tmp_path):
    with pytest.raises(InvalidModelFileError):
        sniff_format(tmp_path / "missing")
