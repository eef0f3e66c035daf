import math

import pytest

from camelid.engine.pool import Pool
from camelid.errors import InvalidOptionError, ModelNotFoundError, PromptTooLongError
from camelid.services.embed import Embed, EmbedRequest
from camelid.services.loading import Models
from camelid.types.generation import Timings


@pytest.fixture
def embed(models: Models, pool: Pool) -> Embed:
    return Embed(models, pool)


async def test_vectors_are_as_many_as_inputs_in_their_order_and_of_length_one(embed: Embed, add_model):
    add_model()
    answer = await embed(EmbedRequest(model="echo", inputs=("aab", "b", "")))
    both, only_b, empty = answer.vectors
    assert all(math.hypot(*vector) == pytest.approx(1) for vector in answer.vectors)
    assert (both[ord("a")], both[ord("b")]) == (pytest.approx(2 * both[ord("b")]), pytest.approx(both[256]))
    assert only_b[ord("a")] == 0
    assert empty[256] == pytest.approx(math.sqrt(0.5))
    assert answer.timings.prompt_tokens == sum(len(text) + 2 for text in ("aab", "b", ""))
    assert 0 < answer.timings.load_duration < answer.timings.total_duration


async def test_vectors_may_be_cut_and_are_normalised_again(embed: Embed, add_model):
    add_model()
    answer = await embed(EmbedRequest(model="echo", inputs=("aab",), dimensions=100))
    (vector,) = answer.vectors
    assert len(vector) == 100
    assert (vector[ord("a")], vector[ord("b")]) == (
        pytest.approx(2 / math.sqrt(5)),
        pytest.approx(1 / math.sqrt(5)),
    )
    whole = await embed(EmbedRequest(model="echo", inputs=("aab",), dimensions=10_000))
    assert len(whole.vectors[0]) == 260


async def test_vectors_may_stay_as_the_model_gave_them(embed: Embed, add_model):
    add_model()
    answer = await embed(EmbedRequest(model="echo", inputs=("aab",), normalize=False))
    assert answer.vectors[0][ord("a")] == 2.0


async def test_many_inputs_are_computed_alike(embed: Embed, add_model):
    add_model()
    texts = tuple(chr(ord("a") + place % 26) * (place % 7 + 1) for place in range(80))
    together = await embed(EmbedRequest(model="echo", inputs=texts))
    alone = [(await embed(EmbedRequest(model="echo", inputs=(text,)))).vectors[0] for text in texts[:5]]
    assert list(together.vectors[:5]) == alone
    assert len(together.vectors) == 80


async def test_long_inputs_are_cut_or_refused(embed: Embed, add_model):
    add_model(params={"num_ctx": 16})
    answer = await embed(EmbedRequest(model="echo", inputs=("a" * 100, "b")))
    assert answer.timings.prompt_tokens == 16 + 3
    with pytest.raises(PromptTooLongError) as caught:
        await embed(EmbedRequest(model="echo", inputs=("b", "a" * 100), truncate=False))
    assert caught.value.message == "the input length exceeds the context length"


async def test_no_input_loads(embed: Embed, add_model, pool: Pool):
    add_model()
    answer = await embed(EmbedRequest(model="echo"))
    assert (answer.vectors, answer.timings) == ((), Timings())
    assert [model.name for model in pool.running()] == ["echo:latest"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (EmbedRequest(model="", inputs=("a",)), ModelNotFoundError("model '' not found")),
        (
            EmbedRequest(model="no/such", inputs=("a",)),
            ModelNotFoundError('model "no/such" not found, try pulling it first'),
        ),
        (
            EmbedRequest(model="echo", inputs=("a",), options={"num_ctx": "16"}),
            InvalidOptionError('option "num_ctx" must be of type integer'),
        ),
    ],
)
async def test_requests_that_cannot_be_answered(embed: Embed, add_model, request_, expected):
    add_model()
    with pytest.raises(type(expected)) as caught:
        await embed(request_)
    assert (type(caught.value), caught.value.message) == (type(expected), expected.message)


async def test_models_made_for_embedding_embed(embed: Embed, add_model, pool: Pool):
    add_model(capabilities=["embedding"])
    answer = await embed(EmbedRequest(model="echo", inputs=("a",)))
    assert len(answer.vectors) == 1
