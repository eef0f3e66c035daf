import pytest

from camelid.errors import RequestError
from camelid.types.names import ModelName


@pytest.mark.parametrize(
    ("text", "qualified", "short"),
    [
        ("llama3", "registry.ollama.ai/library/llama3:latest", "llama3:latest"),
        ("smollm2:135m", "registry.ollama.ai/library/smollm2:135m", "smollm2:135m"),
        ("me/x", "registry.ollama.ai/me/x:latest", "me/x:latest"),
        ("hf.co/o/r:Q4", "hf.co/o/r:Q4", "hf.co/o/r:Q4"),
        ("http://localhost:5000/a/b:c", "localhost:5000/a/b:c", "localhost:5000/a/b:c"),
    ],
)
def test_parts_have_defaults(text, qualified, short):
    name = ModelName.parse(text)
    assert (name.qualified, name.short) == (qualified, short)


@pytest.mark.parametrize(
    "text", ["", "x:", "/x", "a//b", "../x", "x/../y", "x:..", "x y", "é", "a" * 81, ".x", "a/b/c/d:/e", "x\n"]
)
def test_everything_else_is_refused(text):
    with pytest.raises(RequestError, match="invalid model name"):
        ModelName.parse(text)


@pytest.mark.parametrize(
    ("text", "qualified", "repository"),
    [
        ("oci://ghcr.io/team/model", "ghcr.io/team/model:latest", "team/model"),
        ("OCI://ghcr.io/team/model:q4", "ghcr.io/team/model:q4", "team/model"),
        ("oci://localhost:5000/model:q4", "localhost:5000/_/model:q4", "model"),
        ("oci://x/a/b-c/d__e/f.g/h.i:q4", "x/a___b-c___d__e___f_-_g/h.i:q4", "a/b-c/d__e/f.g/h.i"),
        ("oci://x/_/model", "x/_/model:latest", "model"),
        ("oci://x/a___b_-_c/model", "x/a___b_-_c/model:latest", "a/b.c/model"),
        (f"oci://x/a/b@sha256:{'0a' * 32}", f"x/a/b:sha256-{'0a' * 32}", "a/b"),
        (f"oci://x/a/b:q4@sha256:{'0a' * 32}", f"x/a/b:sha256-{'0a' * 32}", "a/b"),
    ],
)
def test_names_of_other_protocols_are_those_of_repositories(text, qualified, repository):
    name = ModelName.parse(text)
    assert (name.qualified, name.repository, name.protocol) == (qualified, repository, "oci")
    assert ModelName.parse(f"oci://{name.qualified}") == name
    name.check()


@pytest.mark.parametrize(
    "text",
    [
        "oci://",
        "oci://x",
        "oci://x/",
        "oci:///a/b",
        "oci://x/a//b",
        "oci://x/a/b:",
        "oci://x/../b",
        "oci://x/a/../b",
        "oci://x/a/B",
        "oci://x/a..b/c",
        "oci://x/a____b/c",
        "oci://x/-a/c",
        "oci://x/a/b?c",
        "oci://x/a/b@sha256:00",
        "oci://x/a/b@",
        f"oci://x/{'a/' * 40}b",
        "oci+ssh://x/a/b",
        "://x/a/b",
    ],
)
def test_what_is_no_repository_is_refused(text):
    with pytest.raises(RequestError, match="invalid model name"):
        ModelName.parse(text)


def test_a_digest_is_one_only_where_a_protocol_says_so():
    tag = f"sha256-{'0a' * 32}"
    assert ModelName.parse(f"oci://x/a/b:{tag}").digest == f"sha256:{'0a' * 32}"
    assert ModelName.parse(f"x/a/b:{tag}").digest == ModelName.parse("oci://x/a/b:q4").digest == ""


@pytest.mark.parametrize(
    ("text", "transport", "plain"),
    [
        ("x", "https", "http"),
        ("HTTP://x/y/z", "http", "http"),
        ("oci://x/y", "https", "oci+http"),
        ("oci+http://x/y", "http", "oci+http"),
    ],
)
def test_the_transport_is_a_part_of_the_scheme(text, transport, plain):
    name = ModelName.parse(text)
    assert name.transport == transport
    assert name.over("http").scheme == plain
    assert name.over("http").over("https") == name.over("https")
    assert name.over("https").transport == "https"
