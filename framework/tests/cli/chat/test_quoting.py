import pytest

from camelid.cli.chat.quoting import is_open, unquoted


@pytest.mark.parametrize("text", ['"""', '"""a', '"""a\nb', '  """a', '/set system """You are', '/set system """a\nb'])
def test_open_messages(text: str):
    assert is_open(text)
    assert unquoted(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"""a"""', "a"),
        ('"""\na\nb\n"""', "\na\nb\n"),
        ('""""""', ""),
        ('"""a"""  ', "a"),
        ("plain", "plain"),
        ('say """ now', 'say """ now'),
        ("", ""),
    ],
)
def test_closed_messages(text: str, message: str):
    assert not is_open(text)
    assert unquoted(text) == message
