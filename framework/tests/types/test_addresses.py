import pytest

from camelid.errors import ConfigurationError
from camelid.types.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", Address("127.0.0.1", 11434)),
        ("127.0.0.1:11434", Address("127.0.0.1", 11434)),
        ("example.org", Address("example.org", 11434)),
        ("example.org:", Address("example.org", 11434)),
        (":8080", Address("0.0.0.0", 8080)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[::1]", Address("::1", 11434)),
        ("::1", Address("::1", 11434)),
        ("http://example.org", Address("example.org", 80)),
        ("https://example.org", Address("example.org", 443, scheme="https")),
        ("https://example.org:8443/llm/", Address("example.org", 8443, scheme="https", path="/llm")),
    ],
)
def test_the_forms_of_ollama_host(text: str, address: Address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["localhost:65536", "localhost:-1", "localhost:http", "localhost:²", "ftp://x:1"])
def test_nonsense_is_refused(text: str):
    with pytest.raises(ConfigurationError, match="address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (":8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("https://example.org/llm", "https://example.org:443/llm"),
        ("192.168.1.5:1", "http://192.168.1.5:1"),
    ],
)
def test_clients_connect_to_loopback_where_the_server_listens_everywhere(text: str, url: str):
    assert parse_address(text).url == url
