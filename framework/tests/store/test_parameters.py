import pytest

from camelid.errors import RequestError
from camelid.store.parameters import go_quoted, parse_parameter, show_parameters
from camelid.types.json import JsonObject


def test_text_becomes_a_value_of_the_options_type():
    parameters: JsonObject = {}
    for name, text in (
        ("num_ctx", "4096"),
        ("seed", "-1"),
        ("temperature", ".5"),
        ("top_p", "1"),
        ("use_mmap", "F"),
        ("num_gpu", "+3"),
        ("main_gpu", "0"),
        ("repeat_penalty", "1e-1"),
        ("backend", "llamacpp"),
        ("stop", "<|a|>"),
        ("stop", "<|b|>"),
        ("num_ctx", "8192"),
    ):
        parse_parameter(parameters, name, text)
    assert parameters == {
        "num_ctx": 8192,
        "seed": -1,
        "temperature": 0.5,
        "top_p": 1.0,
        "use_mmap": False,
        "num_gpu": 3,
        "main_gpu": 0,
        "repeat_penalty": 0.1,
        "backend": "llamacpp",
        "stop": ["<|a|>", "<|b|>"],
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("num_ctx", "1.0", "invalid int value [1.0]"),
        ("num_ctx", "", "invalid int value []"),
        ("num_ctx", "9" * 30, f"invalid int value [{'9' * 30}]"),
        ("seed", "9223372036854775808", "invalid int value [9223372036854775808]"),
        ("seed", "١٢", "invalid int value [١٢]"),
        ("temperature", "warm", "invalid float value [warm]"),
        ("temperature", "nan", "invalid float value [nan]"),
        ("temperature", "1e999", "invalid float value [1e999]"),
        ("use_mmap", "yes", "invalid bool value [yes]"),
        ("num_gqa", "1", "unknown parameter 'num_gqa'"),
        ("sampling", "1", "unknown parameter 'sampling'"),
        ("", "1", "unknown parameter ''"),
    ],
)
def test_what_is_wrong_is_said_in_ollamas_words(name, text, message):
    with pytest.raises(RequestError) as caught:
        parse_parameter({}, name, text)
    assert str(caught.value) == message


def test_parameters_are_shown_one_value_a_line():
    shown = show_parameters(
        {"temperature": 0.7, "stop": ["<|im_end|>", 'a"\n'], "num_ctx": 131072, "use_mmap": True, "top_p": 1.0}
    )
    assert shown.split("\n") == [
        "num_ctx                        131072",
        'stop                           "<|im_end|>"',
        'stop                           "a\\"\\n"',
        "temperature                    0.7",
        "top_p                          1",
        "use_mmap                       true",
    ]
    assert show_parameters({}) == ""


def test_strings_are_quoted_as_in_go():
    assert go_quoted('a\\"\t\x00\x7fü\u200b\U000e0001') == r'"a\\\"\t\x00\x7fü\u200b\U000e0001"'


def test_the_options_of_a_backend_are_an_object():
    parameters = {}
    parse_parameter(parameters, "backend_options", '{"model_type": "gpt2"}')
    assert parameters == {"backend_options": {"model_type": "gpt2"}}
    assert show_parameters(parameters) == f"{'backend_options':<30} " + '{"model_type":"gpt2"}'
    for text in ("gpt2", "[1]", '{"a": ' * 2000):
        with pytest.raises(RequestError, match="invalid object value"):
            parse_parameter(parameters, "backend_options", text)
