import pytest

from camelid.errors import RemoteModelError, RequestError
from camelid.services.references import parse_reference, stored_spelling


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("llama3", "llama3:latest"),
        (" llama3 ", "llama3:latest"),
        ("llama3:8b", "llama3:8b"),
        ("llama3:local", "llama3:latest"),
        ("llama3:8b:LOCAL", "llama3:8b"),
        ("me/llama3:8b: local ", "me/llama3:8b"),
        ("cloud", "cloud:latest"),
        ("my-cloud", "my-cloud:latest"),
        ("localhost:5000/me/x", "localhost:5000/me/x:latest"),
        ("localhost:5000/me/x-cloud", "localhost:5000/me/x-cloud:latest"),
    ],
)
def test_names_of_local_models(text: str, name: str):
    assert parse_reference(text).short == name


@pytest.mark.parametrize("text", ["gpt-oss:cloud", "gpt-oss:20b:Cloud", "gpt-oss:120b-cloud", "me/gpt-oss:20b-CLOUD "])
def test_models_in_the_cloud_are_refused(text: str):
    with pytest.raises(RemoteModelError) as caught:
        parse_reference(text)
    assert caught.value.status == 403
    assert caught.value.message == "ollama cloud is disabled: remote model is unavailable"


@pytest.mark.parametrize("text", ["x:cloud:local", "x:local:cloud", "x:20b-cloud:local", "x:local:local"])
def test_one_source_is_enough(text: str):
    with pytest.raises(RequestError) as caught:
        parse_reference(text)
    assert (caught.value.status, caught.value.message) == (400, f'use either :local or :cloud, not both: "{text}"')


@pytest.mark.parametrize("text", ["", ":cloud", ":local", "x:", "a b", "x:-cloud", "../x", "x@sha256:00"])
def test_what_is_no_name_is_invalid(text: str):
    with pytest.raises(RequestError, match="invalid model name"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("x", "x"),
        ("x:local", "x"),
        ("x:cloud", "x:cloud"),
        ("x:8b:cloud", "x:8b-cloud"),
        ("x:8b-cloud", "x:8b-cloud"),
        ("localhost:5000/me/x:cloud", "localhost:5000/me/x:cloud"),
    ],
)
def test_stubs_are_spelled_in_one_way(text: str, spelled: str):
    assert stored_spelling(text) == spelled
