from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import InvalidOptionError
from camelid.types.options import BackendOrigin, Options, SamplingOptions, parse_options


def test_later_layers_win_and_nulls_and_unknown_keys_are_skipped():
    model = {"temperature": 0.1, "stop": ["a", "b"], "num_ctx": 2048, "mirostat": 2}
    request = {"temperature": None, "stop": ["c"], "top_k": 3.9, "nonsense": {}, "num_thread": 2}
    assert parse_options(model, request) == Options(
        sampling=SamplingOptions(temperature=0.1, stop=("c",), top_k=3), num_ctx=2048, num_thread=2
    )


def test_who_named_the_backend_is_remembered():
    by_model = parse_options({"backend": "old"}, {"backend": None})
    assert (by_model.backend, by_model.backend_origin) == ("old", BackendOrigin.MODEL)
    by_request = parse_options({"backend": "old"}, {"backend": "old", "backend_origin": "model"})
    assert (by_request.backend, by_request.backend_origin) == ("old", BackendOrigin.REQUEST)


def test_options_for_the_models_own_backend_are_not_given_to_another():
    model = {"backend": "old", "backend_options": {"model_type": "gpt2"}}
    assert parse_options(model, {}).backend_options == {"model_type": "gpt2"}
    assert parse_options(model, {"backend": "old"}).backend_options == {"model_type": "gpt2"}
    assert parse_options(model, {"backend": "new"}).backend_options == {}
    assert parse_options(model, {"backend": "new", "backend_options": {"x": 1}}).backend_options == {"x": 1}
    assert parse_options({"backend_options": {"x": 1}}, {"backend": "new"}).backend_options == {"x": 1}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_ctx", "4096", 'option "num_ctx" must be of type integer'),
        ("seed", True, 'option "seed" must be of type integer'),
        ("seed", 10**400, 'option "seed" must be of type integer'),
        ("seed", float("inf"), 'option "seed" must be of type integer'),
        ("temperature", "1", 'option "temperature" must be of type float32'),
        ("temperature", -(10**400), 'option "temperature" must be of type float32'),
        ("temperature", float("nan"), 'option "temperature" must be of type float32'),
        ("use_mmap", 1, 'option "use_mmap" must be of type boolean'),
        ("stop", "x", 'option "stop" must be of type array'),
        ("stop", ["x", 1], 'option "stop" must be of an array of strings'),
        ("backend_options", [], 'option "backend_options" must be of type object'),
    ],
)
def test_wrong_types_are_refused_in_ollamas_words(name, value, message):
    with pytest.raises(InvalidOptionError) as caught:
        parse_options({name: value})
    assert (caught.value.message, caught.value.status) == (message, 500)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(2**63, 2**63 - 1), (1e300, 2**63 - 1), (-1e300, -(2**63)), (-(2**63) - 1, -(2**63)), (-1.9, -1)],
)
def test_integers_are_cut_to_what_go_has_room_for(value, kept):
    assert parse_options({"seed": value}).sampling.seed == kept


@given(
    st.dictionaries(
        st.sampled_from(["seed", "top_p", "stop", "num_gpu", "use_mmap"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_any_options_are_understood_or_refused(options):
    with suppress(InvalidOptionError):
        assert isinstance(parse_options(options), Options)


def test_a_logit_bias_is_by_token_ids():
    assert parse_options({"logit_bias": {"7": 1, "042": -2.5}}).sampling.logit_bias == ((7, 1.0), (42, -2.5))
    assert parse_options({"logit_bias": {"7": 1}}, {"logit_bias": {}}).sampling.logit_bias == ()


@pytest.mark.parametrize(
    "value", [1, [], {"x": 1}, {"-1": 1}, {"\u0661": 1}, {"1" * 5000: 1}, {"7": 101}, {"7": True}, {"7": None}]
)
def test_what_is_no_logit_bias_is_refused(value):
    with pytest.raises(InvalidOptionError, match='"logit_bias" must be an object'):
        parse_options({"logit_bias": value})
