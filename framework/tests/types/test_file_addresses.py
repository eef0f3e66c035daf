import pytest

from camelid.errors import RequestError
from camelid.types.names import ModelName


@pytest.mark.parametrize(
    ("text", "stored", "scheme", "address"),
    [
        ("https://h.x/a/b/x.Q4_K_M.gguf", "h.x/b/x.Q4_K_M:39a493e83558", "web", "https://h.x/a/b/x.Q4_K_M.gguf"),
        ("HTTP://h:80/x.GGUF?a=/b:c", "h:80/_/x:", "web+http", "http://h:80/x.GGUF?a=/b:c"),
        ("https://h/a%20b/%C3%BC%2fx.gguf", "h/a-b/x:", "web", "https://h/a%20b/%C3%BC%2fx.gguf"),
        ("https://h/../%2e%2e/.gguf", "h/_/_:", "web", "https://h/../%2e%2e/.gguf"),
        (f"https://h/{'a' * 99}/{'b' * 99}.gguf", f"h/{'a' * 80}/{'b' * 80}:", "web", None),
        ("file:///srv/models/x.gguf", "localhost/models/x:", "file", "file:///srv/models/x.gguf"),
        ("file://localhost/srv/my models/", "localhost/srv/my-models:", "file", "file:///srv/my models"),
    ],
)
def test_an_address_has_a_name_that_is_legal_on_the_disk(text, stored, scheme, address):
    name = ModelName.parse(text)
    assert name.qualified.startswith(stored)
    assert (name.scheme, name.protocol, name.address) == (scheme, scheme.partition("+")[0], address or text)
    assert ModelName.parse(name.qualified).qualified == name.qualified
    assert len(name.tag) == 12


@pytest.mark.parametrize("text", ["https://h/ns/model.gguf:tag", "https://h/ns/model", "h/ns/x.gguf"])
def test_other_names_are_ollamas(text):
    assert ModelName.parse(text).protocol == ""


def test_no_two_addresses_of_a_host_share_a_name():
    texts = ("https://h/a/x.gguf", "https://h/b/a/x.gguf", "https://h/a/X.gguf", "https://h/a/x.gguf?v=2")
    other = ("file:///a/x.gguf", "https://localhost/a/x.gguf")
    assert len({ModelName.parse(text).qualified.lower() for text in (*texts, *other)}) == 6
    assert ModelName.parse("http://h/a/x.gguf").qualified == ModelName.parse(texts[0]).qualified


@pytest.mark.parametrize(
    "text",
    [
        *("https:///x.gguf", "https://h x/x.gguf", "https://[::1]/x.gguf", "https://h/x y.gguf", "https://h/x.gguf#y"),
        *("https://h/\r\nx.gguf", "https://h\\x/y.gguf", "https://h/\u00fc.gguf", f"https://h/{'a' * 5000}.gguf"),
        *(
            "file://",
            "file:///",
            "file://host/x",
            "file:///x?y",
            "web://h/x.gguf",
            "web+http://h/a/b",
            "file+http:///x",
        ),
    ],
)
def test_what_nobody_can_ask_for_is_refused(text):
    with pytest.raises(RequestError, match=r"^invalid model name"):
        ModelName.parse(text)


@pytest.mark.parametrize("rest", ["me:secret@h/x.gguf", "secret@h/ns/model", "secret@/x.gguf"])
@pytest.mark.parametrize("scheme", ["https", "http", "file", "oci"])
def test_who_asks_does_not_belong_into_a_name(scheme, rest):
    with pytest.raises(RequestError, match="leave out the user name and the password") as refused:
        ModelName.parse(f"{scheme}://{rest}")
    assert "secret" not in f"{refused.value.message} {refused.value.reason}"
