"""What the operator allows, and where a key may go."""

import pytest

from camelid.errors import ConfigurationError
from camelid_upstream.allowed import Upstream, allowed_upstreams


def test_upstreams_have_names():
    listed = "lab=http://127.0.0.1:8080, big-one=https://llm.example.org/api/v1/"
    assert allowed_upstreams({"UPSTREAMS": listed}) == {
        "lab": Upstream("lab", "http://127.0.0.1:8080"),
        "big-one": Upstream("big-one", "https://llm.example.org/api"),
    }


def test_nothing_is_allowed_unless_somebody_allows_it():
    assert allowed_upstreams({}) == {}


@pytest.mark.parametrize(
    "entry",
    [
        "http://127.0.0.1:8080",
        "lab=127.0.0.1:8080",
        "lab=file:///etc/passwd",
        "lab=http://",
        "lab=http://host:port",
        "lab=http://me:secret@host",
        "lab=http://host/?key=secret",
        "Lab=http://host",
        "../lab=http://host",
    ],
)
def test_what_is_no_upstream_is_refused_and_not_quoted(entry):
    with pytest.raises(ConfigurationError, match="entry 2 of the variable UPSTREAMS") as refused:
        allowed_upstreams({"UPSTREAMS": f"good=http://a {entry}"})
    assert "secret" not in str(refused.value)


def test_a_key_is_its_upstreams_alone_and_stays_out_of_sight():
    environ = {"UPSTREAM_KEY_BIG_ONE": "secret"}
    big, lab = Upstream("big-one", "https://a"), Upstream("lab", "https://b")
    assert big.headers(environ) == {"Authorization": "Bearer secret"}
    assert lab.headers(environ) == {}
    assert "secret" not in f"{big!r}{big}"
    with pytest.raises(ConfigurationError, match="UPSTREAM_KEY_BIG_ONE is no key") as refused:
        big.headers({"UPSTREAM_KEY_BIG_ONE": "secret\nX-Other: 1"})
    assert "secret" not in str(refused.value)
