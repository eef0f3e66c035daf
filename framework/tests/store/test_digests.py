from hashlib import sha256

import pytest

from camelid.errors import RequestError
from camelid.store.digests import digest_of, parse_digest

HEX = sha256(b"x").hexdigest()


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha256-{HEX}", f"sha256:{HEX.upper()}"])
def test_every_spelling_means_the_same(text):
    assert parse_digest(text) == f"sha256:{HEX}" == digest_of(b"x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"md5:{HEX}",
        f"sha256:../{HEX[3:]}",
        f"sha256:{HEX}\n",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(RequestError, match=r"^invalid digest format$"):
        parse_digest(text)
