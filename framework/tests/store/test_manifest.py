import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import CorruptManifestError
from camelid.store import media_types
from camelid.store.digests import digest_of
from camelid.store.manifest import Layer, Manifest, decode_manifest, encode_manifest

A, B = digest_of(b"a"), digest_of(b"b")
MANIFEST = Manifest(
    config=Layer(media_type=media_types.CONFIG, digest=A, size=0),
    layers=(
        Layer(media_type=media_types.MODEL, digest=B, size=5, from_="base:latest"),
        Layer(media_type="application/vnd.example.strange", digest=A, size=7, name="config.json"),
    ),
)


def test_it_is_written_as_ollama_writes_it():
    content = encode_manifest(MANIFEST)
    assert content.endswith(b"}\n")
    assert json.loads(content) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": media_types.CONFIG, "digest": A, "size": 0},
        "layers": [
            {"mediaType": media_types.MODEL, "digest": B, "size": 5, "from": "base:latest"},
            {"mediaType": "application/vnd.example.strange", "digest": A, "size": 7, "name": "config.json"},
        ],
    }
    assert list(json.loads(content)) == ["schemaVersion", "mediaType", "config", "layers"]


def test_it_is_read_back_and_knows_its_blobs():
    found = decode_manifest(encode_manifest(MANIFEST))
    assert found == MANIFEST
    assert found.size == 12
    assert found.digests == {A, B}
    assert found.of_type(media_types.MODEL) == MANIFEST.layers[:1]


def test_null_layers_and_other_digest_spellings_are_understood():
    content = {"config": {"mediaType": "x", "digest": A.replace(":", "-").upper().replace("SHA", "sha"), "size": 1}}
    assert decode_manifest(json.dumps({**content, "layers": None, "annotations": {}}).encode()) == Manifest(
        config=Layer(media_type="x", digest=A, size=1)
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 300,
        b"null",
        b"[]",
        b"{}",
        encode_manifest(MANIFEST)[:-10],
        b'{"config":{"mediaType":"x","digest":"../../etc/passwd","size":1}}',
        b'{"config":{"mediaType":"x","digest":"","size":1}}',
        encode_manifest(MANIFEST).replace(b'"size":5', b'"size":-5'),
        encode_manifest(MANIFEST).replace(b'"size":5', b'"size":9223372036854775808'),
        encode_manifest(MANIFEST).replace(b'"size":5', b'"size":"5"'),
        encode_manifest(MANIFEST).replace(b"base:latest", b"\xff\xfe"),
        b'{"x":' * 100_000,
    ],
)
def test_anything_else_is_corrupt(content):
    with pytest.raises(CorruptManifestError) as caught:
        decode_manifest(content)
    assert caught.value.reason


@given(st.binary(max_size=200))
def test_random_bytes_are_corrupt(content):
    with pytest.raises(CorruptManifestError):
        decode_manifest(content)


@given(st.integers(0, len(encode_manifest(MANIFEST)) - 3))
def test_a_manifest_cut_off_anywhere_is_corrupt(length):
    with pytest.raises(CorruptManifestError):
        decode_manifest(encode_manifest(MANIFEST)[:length])
