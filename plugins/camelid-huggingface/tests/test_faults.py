from functools import partial

import pytest

from camelid.contracts.registry import OnlyFromStartError, TransientRegistryError
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_huggingface.hub import Hub
from camelid_huggingface.registry import HubModels

CONTENT = b"GGUF" * 100_000
ABOUT = "/api/models/me/tiny"
FILE = "/me/tiny/resolve"
BLOB = "/xet/"


@pytest.fixture
def blob(hub, models):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": CONTENT})
    return models.resolve(ModelName.parse("hf.co/me/tiny")).layers[0].blob


@pytest.fixture
def resolve(hub, models):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": CONTENT})
    return lambda: models.resolve(ModelName.parse("hf.co/me/tiny"))


def read(models, blob, offset: int = 0) -> bytes:
    with models.open(blob, offset) as stream:
        return b"".join(iter(partial(stream.read, 1 << 20), b""))


def test_the_hub_is_left_alone_as_long_as_it_wants(resolve, inject, waits):
    inject(ABOUT, 429, headers={"retry-after": "7"})
    inject(ABOUT, 429, headers={"retry-after": "9"})
    assert resolve() is not None
    assert waits == [7, 9]


def test_a_hub_that_wants_it_again_and_again_is_given_up(resolve, inject, waits):
    inject(ABOUT, 429, times=5, headers={"retry-after": "7"})
    with pytest.raises(TransientRegistryError, match="too many requests"):
        resolve()
    assert waits == [7, 7, 7]


@pytest.mark.parametrize("retry_after", ["300", "0", "soon", "-1", "9" * 5000, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_when_to_ask_again_is_else_the_frameworks_decision(resolve, inject, waits, retry_after):
    inject(ABOUT, 429, headers={"retry-after": retry_after})
    with pytest.raises(TransientRegistryError, match="answers with status 429"):
        resolve()
    assert waits == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_transient(resolve, inject, status):
    inject(ABOUT, status)
    with pytest.raises(TransientRegistryError, match=f"answers with status {status}"):
        resolve()
    assert resolve() is not None


def test_a_hub_that_is_not_there_is_transient():
    models = HubModels(Hub("http://127.0.0.1:9"))
    with pytest.raises(TransientRegistryError, match=r"the Hugging Face Hub does not answer: GET .*refused"):
        models.resolve(ModelName.parse("hf.co/me/tiny"))


@pytest.mark.parametrize("cut", [0, 10])
def test_half_an_answer_is_transient(resolve, inject, cut):
    inject(ABOUT, cut_after=cut)
    with pytest.raises(TransientRegistryError, match="does not answer"):
        resolve()


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("where", [FILE, BLOB])
def test_what_may_pass_is_no_end_of_a_transfer(models, blob, inject, status, where):
    inject(where, status)
    with pytest.raises(TransientRegistryError, match=f"status {status}"):
        read(models, blob)
    assert read(models, blob) == CONTENT


@pytest.mark.parametrize(("status", "words"), [(403, "private or gated"), (404, "file does not exist"), (410, "410")])
def test_what_does_not_pass_is_one(models, blob, inject, status, words):
    inject(FILE, status)
    with pytest.raises(RegistryError, match=words):
        read(models, blob)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_address_that_has_become_too_old_is_asked_for_anew(models, blob, inject, status):
    assert read(models, blob) == CONTENT
    inject(BLOB, status)
    assert read(models, blob) == CONTENT


def test_a_server_of_files_that_went_away_is_not_asked_again(hub, models, blob, inject):
    inject(FILE, 302, headers={"location": f"{hub.cdn_url}/xet/{blob.digest[7:]}?another=one"})
    assert read(models, blob) == CONTENT
    inject("/xet/", cut_after=5)
    with pytest.raises(OSError, match=r"IncompleteRead|RemoteDisconnected|without response"):
        read(models, blob)
    assert read(models, blob) == CONTENT
    assert [path[-10:] for path in hub.paths("cdn")] == ["nother=one", "nother=one", "ignature=s"]


@pytest.mark.parametrize("cut", [0, 1, 200_000, len(CONTENT) - 1])
def test_a_body_that_is_cut_is_no_end_of_file(models, blob, inject, cut):
    inject(BLOB, cut_after=cut)
    got = []
    with (
        pytest.raises(OSError, match=r"IncompleteRead|RemoteDisconnected|without response"),
        models.open(blob, 0) as stream,
    ):
        got.extend(iter(partial(stream.read, 1 << 20), b""))
    assert b"".join(got) == CONTENT[:cut]
    assert read(models, blob, cut) == CONTENT[cut:]


def test_a_server_that_does_not_know_ranges(models, blob, inject):
    inject(BLOB, 200, times=2, body=CONTENT)
    with pytest.raises(OnlyFromStartError):
        read(models, blob, 100)
    assert read(models, blob) == CONTENT


@pytest.mark.parametrize(
    "headers",
    [{"content-range": "bytes 0-399999/400000"}, {}, {"content-range": "bytes 100-", "content-encoding": "gzip"}],
)
def test_another_part_of_a_file_is_refused(models, blob, inject, headers):
    inject(BLOB, 206, body=CONTENT, headers=headers)
    with pytest.raises(RegistryError, match=r"another part than was asked for|compressed"):
        read(models, blob, 100)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("file:///etc/passwd", "to where nothing is encrypted"),
        ("http://[", "no address"),
        (f"{FILE}/again", "in circles"),
    ],
)
def test_redirects_to_nowhere_are_refused(models, blob, inject, location, words):
    inject(FILE, 302, times=20, headers={"location": location})
    with pytest.raises(RegistryError, match=words):
        read(models, blob)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"sha": "main", "siblings": []}',
        b'{"sha": "0123456789abcdef0123456789abcdef01234567/../x", "siblings": []}',
        b'{"sha": 1}',
        b'{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "a.gguf", "size": -1}]}',
        b"[" * 100_000,
        b'{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": 1}]}',
    ],
)
def test_an_answer_that_is_not_understood(resolve, inject, answer):
    inject(ABOUT, 200, body=answer)
    with pytest.raises(RegistryError, match=r"the Hub's answer about hf.co/me/tiny is not understood"):
        resolve()


def test_an_answer_without_end_is_refused(resolve, inject):
    inject(ABOUT, 200, body=b" " * (33 << 20))
    with pytest.raises(RegistryError, match="sends more than"):
        resolve()


@pytest.mark.parametrize("path", ["../evil-Q4_K_M.gguf", "/etc/evil.gguf", "a\\..\\evil.gguf", "a//b.gguf", "a\n.gguf"])
def test_paths_that_lead_out_are_not_seen(hub, models, path):
    hub.add("me/evil", {path: b"GGUF"})
    with pytest.raises(RegistryError, match="no model that Camelid could use"):
        models.resolve(ModelName.parse("hf.co/me/evil"))


def test_a_connection_that_does_not_come_about(hub, models, blob, inject):
    inject(FILE, 302, headers={"location": "http://127.0.0.1:9/"})
    with pytest.raises(OSError, match="refused"):
        read(models, blob)


def test_a_file_of_another_length_is_refused(models, blob, inject):
    inject(BLOB, 206, body=CONTENT, headers={"content-range": "bytes 0-399999/400001"})
    with pytest.raises(RegistryError, match="sends more than it announced"):
        read(models, blob)
