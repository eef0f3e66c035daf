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
