import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.engine.request import LoadRequest
from camelid.engine.sizing import lower_context, predicted_memory, resolve_options, satisfies
from camelid.errors import RequestError
from camelid.settings import Settings
from camelid.types.artifact import FileRole, ModelArtifact, ModelFile
from camelid.types.descriptor import BackendDescriptor
from camelid.types.loading import LoadOptions
from camelid.types.options import Options


class ToyOptions(msgspec.Struct, forbid_unknown_fields=True):
    speed: int = 1
    mode: str = "plain"


TOY = BackendDescriptor("toy", frozenset({"toy"}), frozenset(), options=ToyOptions)
BARE = BackendDescriptor("bare", frozenset({"toy"}), frozenset())
FILES = (ModelFile("/model", size=1000), ModelFile("/adapter", FileRole.ADAPTER, size=500))
ARTIFACT = ModelArtifact("toy", "toy", FILES)


def request(*, trained=0, cache=0, completion=True, **options) -> LoadRequest:
    return LoadRequest("toy", "d", ARTIFACT, Options(**options), trained, cache, completion)


def resolve(asked: LoadRequest, *, available=1 << 40, **settings) -> LoadOptions:
    return resolve_options(asked, Settings(**settings), TOY, available=available)


@pytest.mark.parametrize(
    ("num_ctx", "default", "trained", "expected"),
    [
        (None, 4096, 0, 4096),
        (None, 8192, 0, 8192),
        (None, 8192, 2048, 2048),
        (100, 4096, 0, 100),
        (100_000, 4096, 2048, 2048),
        (1, 4096, 0, 4),
        (-5, 4096, 0, 4),
    ],
)
def test_context_length(num_ctx, default, trained, expected):
    asked = request(num_ctx=num_ctx, trained=trained)
    assert resolve(asked, context_length=default).context_length == expected


@pytest.mark.parametrize(
    ("num_ctx", "trained", "expected"), [(None, 0, 4096), (100, 0, 2048), (100, 512, 512), (3000, 8192, 3000)]
)
def test_a_model_that_sees_has_room_for_a_picture(num_ctx, trained, expected):
    asked = request(num_ctx=num_ctx, trained=trained)
    files = (*asked.artifact.files, ModelFile("/eyes", FileRole.PROJECTOR))
    seeing = msgspec.structs.replace(asked, artifact=msgspec.structs.replace(asked.artifact, files=files))
    assert resolve(seeing).context_length == expected


def test_parallel_is_four_while_the_cache_for_it_is_small():
    assert resolve(request(cache=10, num_ctx=100), available=16_001).parallel == 4
    assert resolve(request(cache=10, num_ctx=100), available=16_000).parallel == 1
    assert resolve(request(cache=10, num_ctx=100), available=8_501, kv_cache_type="q8_0").parallel == 4
    assert resolve(request(cache=10, num_ctx=100), available=0, num_parallel=7).parallel == 7
    assert resolve(request(completion=False), num_parallel=7).parallel == 1


def test_what_was_asked_for_is_passed_on_and_the_rest_has_defaults():
    assert resolve(request()) == LoadOptions(
        context_length=4096,
        parallel=4,
        batch_tokens=512,
        backend={"speed": 1, "mode": "plain"},
        draft_tokens=-1,
        prefix_memory=1 << 30,
    )
    asked = request(num_batch=64, num_gpu=3, main_gpu=1, num_thread=2, use_mmap=False, backend_options={"speed": 9})
    assert resolve(asked, flash_attention=True, kv_cache_type="q8_0") == LoadOptions(
        context_length=4096,
        parallel=4,
        batch_tokens=64,
        gpu_layers=3,
        main_gpu=1,
        threads=2,
        memory_map=False,
        flash_attention=True,
        cache_type="q8_0",
        backend={"speed": 9, "mode": "plain"},
        prefix_memory=1 << 30,
    )


def test_nobody_gets_more_than_a_machine_has():
    huge = resolve(request(num_ctx=2**63 - 1, num_batch=2**63 - 1, num_thread=2**63 - 1))
    assert (huge.context_length, huge.batch_tokens, huge.threads) == (1 << 24, 1 << 16, 512)
    tiny = resolve(request(num_ctx=-(2**63), num_batch=-(2**63), num_thread=-(2**63)))
    assert (tiny.context_length, tiny.batch_tokens, tiny.threads) == (4, 512, 0)


def test_prefixes_in_host_memory_take_an_eighth_of_what_is_free_at_most():
    assert resolve(request(), available=8000).prefix_memory == 1000
    assert resolve(request(), available=8000, prefix_memory=600).prefix_memory == 600
    assert resolve(request(), prefix_memory=0).prefix_memory == 0


def test_prefixes_are_written_beside_the_models_if_that_is_wanted(tmp_path):
    assert (resolve(request()).prefix_disk, resolve(request()).prefix_folder) == (0, "")
    wanted = resolve(request(), prefix_disk=1000, models=tmp_path)
    assert (wanted.prefix_disk, wanted.prefix_folder) == (1000, str(tmp_path / ".camelid" / "prefixes"))


def test_a_request_may_say_how_far_to_guess_ahead():
    assert [resolve(request(draft_num_predict=most)).draft_tokens for most in (None, 0, 3, -5)] == [-1, 0, 3, 0]
    assert resolve(request(draft_num_predict=3), speculation=False).draft_tokens == 0


@pytest.mark.parametrize(
    ("descriptor", "options", "message"),
    [
        (TOY, {"sped": 1}, 'option "backend_options" for toy: Object contains unknown field `sped`'),
        (TOY, {"speed": "x"}, 'option "backend_options" for toy: Expected `int`, got `str`'),
        (BARE, {"speed": 1}, 'option "backend_options": the backend bare has none of its own'),
    ],
)
def test_wrong_backend_options_are_refused(descriptor, options, message):
    with pytest.raises(RequestError) as caught:
        resolve_options(request(backend_options=options), Settings(), descriptor, available=0)
    assert caught.value.status == 400
    assert caught.value.message.startswith(message)


def test_predicted_memory_is_files_and_cache():
    options = LoadOptions(context_length=10, parallel=2)
    assert predicted_memory(request(cache=64), options) == 1500 + 10 * 2 * 64
    assert predicted_memory(request(cache=64), msgspec.structs.replace(options, cache_type="q8_0")) == 1500 + 680


def test_tiers_after_running_out_of_memory():
    tiers = [100_000]
    while (lower := lower_context(LoadOptions(context_length=tiers[-1]))) is not None:
        tiers.append(lower.context_length)
    assert tiers == [100_000, 32768, 4096]
    assert lower_context(LoadOptions(context_length=9000, parallel=3)) == LoadOptions(context_length=4096, parallel=3)


def fits(newcomer: LoadRequest, first: LoadRequest, **settings) -> bool:
    return satisfies(newcomer, Settings(**settings), TOY, asked=first.options, loaded=resolve(first, **settings))


@pytest.mark.parametrize(
    ("newcomer", "first", "expected"),
    [
        ({}, {}, True),
        ({"num_ctx": 100}, {"num_ctx": 100}, True),
        ({"num_ctx": 100}, {"num_ctx": 200}, False),
        ({"num_ctx": 4096}, {}, True),
        ({"num_ctx": 100}, {}, False),
        ({}, {"num_ctx": 8192}, True),
        ({}, {"num_ctx": 100}, False),
        ({"num_batch": 32}, {}, False),
        ({"num_batch": 512}, {}, True),
        ({"num_batch": 0}, {}, True),
        ({}, {"num_batch": 32}, True),
        ({"num_gpu": -1}, {"num_gpu": 3}, True),
        ({}, {"num_gpu": 0}, False),
        ({}, {"num_gpu": -1}, True),
        ({"num_gpu": 0}, {"num_gpu": 3}, False),
        ({"num_gpu": 0}, {}, False),
        ({"main_gpu": 1}, {}, False),
        ({}, {"main_gpu": 1}, True),
        ({"use_mmap": False}, {}, False),
        ({}, {"use_mmap": False}, True),
        ({"num_thread": 2}, {"num_thread": 4}, False),
        ({"num_thread": 0}, {"num_thread": 4}, True),
        ({}, {"num_thread": 3}, False),
        ({}, {"num_thread": 9}, True),
        ({"tokenizer": "other"}, {}, False),
        ({"tokenizer": ""}, {"tokenizer": "other"}, False),
        ({}, {"tokenizer": "other"}, True),
        ({"backend_options": {"speed": 1}}, {}, True),
        ({"backend_options": {"speed": 2}}, {}, False),
        ({}, {"backend_options": {"speed": 2}}, True),
        ({"backend_options": {"mode": "plain"}}, {"backend_options": {"speed": 2}}, True),
    ],
)
def test_reuse_or_reload(newcomer, first, expected, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert fits(request(**newcomer), request(**first)) is expected


@pytest.mark.parametrize(("layers", "num_gpu", "expected"), [(30, 29, False), (30, 31, True), (0, 1, True)])
def test_a_model_partly_on_the_accelerator_is_loaded_anew_for_who_asks_for_nothing(layers, num_gpu, expected):
    silent, sparing = (msgspec.structs.replace(request(**said), layers=layers) for said in ({}, {"num_gpu": num_gpu}))
    assert fits(silent, sparing) is expected


def test_a_context_beyond_the_trained_one_is_capped_before_comparing():
    assert fits(request(num_ctx=9999, trained=2048), request(num_ctx=2048, trained=2048))


def test_automatic_on_both_sides_fits_even_if_memory_made_the_loaded_one_smaller():
    loaded = LoadOptions(context_length=4096)
    assert satisfies(request(), Settings(context_length=32768), TOY, asked=Options(), loaded=loaded)


load_options = st.fixed_dictionaries(
    {},
    optional={
        "num_ctx": st.integers(-1, 9000),
        "num_batch": st.integers(-1, 600),
        "num_gpu": st.integers(-2, 5),
        "main_gpu": st.integers(0, 2),
        "use_mmap": st.booleans(),
        "num_thread": st.integers(-1, 3),
        "backend_options": st.fixed_dictionaries({}, optional={"speed": st.integers(1, 2)}),
    },
)


@given(load_options, st.integers(0, 5000))
def test_a_model_loaded_for_a_request_always_satisfies_that_request(options, trained):
    asked = request(trained=trained, **options)
    assert fits(asked, asked)
