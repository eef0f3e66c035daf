import pytest

from camelid.errors import UnsupportedCapabilityError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.types.descriptor import BackendDescriptor


def catalog(**backends: tuple[int, set[str]]) -> Catalog:
    return Catalog(
        {
            name: RegisteredBackend(
                BackendDescriptor(name, frozenset(formats), frozenset(), priority=priority), "p", "d"
            )
            for name, (priority, formats) in backends.items()
        }
    )


def test_the_highest_priority_wins_and_names_break_ties():
    several = catalog(low=(0, {"gguf"}), b=(5, {"gguf", "onnx"}), a=(5, {"gguf"}))
    assert several.backend_for("gguf").name == "a"
    assert several.backend_for("onnx").name == "b"


def test_the_wanted_backend_wins_over_any_priority():
    assert catalog(low=(0, {"gguf"}), high=(5, {"gguf"})).backend_for("gguf", "low").name == "low"


@pytest.mark.parametrize(
    ("model_format", "wanted", "message"),
    [
        (
            "gguf",
            None,
            "no installed backend loads models of the format 'gguf'; install one: pip install camelid-llama",
        ),
        ("tflite", None, "format 'tflite'; install a plugin that does"),
        ("onnx", "ghost", "there is no backend 'ghost'; backends that can: a, b"),
        ("onnx", "c", "the backend 'c' does not load models of the format 'onnx'; backends that can: a, b"),
        ("gguf", "ghost", "backends that can: none"),
    ],
)
def test_a_refusal_says_what_can_be_done(model_format, wanted, message):
    some = catalog(b=(0, {"onnx"}), a=(0, {"onnx"}), c=(9, {"ggml"}))
    with pytest.raises(UnsupportedCapabilityError) as caught:
        some.backend_for(model_format, wanted)
    assert message in caught.value.message
    assert "camelid plugins" in caught.value.message


def test_where_backends_disagree_about_an_ending_the_first_is_right():
    some = {
        name: RegisteredBackend(
            BackendDescriptor(name, frozenset(endings.values()), frozenset(), endings=endings), name, "d"
        )
        for name, endings in (("first", {".bin": "a", ".x": "a"}), ("second", {".bin": "b", ".y": "b"}))
    }
    assert Catalog(some).endings == {".bin": "a", ".x": "a", ".y": "b"}
