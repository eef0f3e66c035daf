import gguf
import pytest

from camelid.engine.pool import Pool
from camelid.errors import ModelNotFoundError, PromptTooLongError, RequestError, UnsupportedCapabilityError
from camelid.services.loading import Models
from camelid.services.rerank import Rerank, RerankRequest
from camelid.testing.tiny_reranker import write_cross_encoder
from camelid.types.capabilities import Capability


@pytest.fixture
def rerank(models: Models, pool: Pool) -> Rerank:
    return Rerank(models, pool)


def asked(*documents: str, model: str = "echo", query: str = "abcd", **fields: object) -> RerankRequest:
    return RerankRequest(model=model, query=query, documents=documents, **fields)


async def test_the_best_comes_first_and_equals_keep_their_order(rerank: Rerank, add_model):
    add_model()
    answer = await rerank(asked("", "ab", "abcd", "cd", "dcba"))
    assert [(score.index, score.relevance) for score in answer.scores] == [(2, 1), (4, 1), (1, 0.5), (3, 0.5), (0, 0)]
    assert answer.timings.prompt_tokens == 5 * 5 + 12
    assert 0 < answer.timings.load_duration < answer.timings.total_duration


@pytest.mark.parametrize(("top_n", "found"), [(1, [2]), (2, [2, 0]), (9, [2, 0, 1])])
async def test_only_the_best(rerank: Rerank, add_model, top_n, found):
    add_model()
    answer = await rerank(asked("ab", "", "abcd", top_n=top_n))
    assert [score.index for score in answer.scores] == found


async def test_long_documents_are_cut_or_refused(rerank: Rerank, add_model):
    add_model(params={"num_ctx": 16})
    answer = await rerank(asked("x" * 50 + "abcd"))
    assert (answer.scores[0].relevance, answer.timings.prompt_tokens) == (0, 16)
    with pytest.raises(PromptTooLongError):
        await rerank(asked("x" * 50, truncate=False))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked("a", model=""), RequestError("model is required")),
        (asked("a", query=""), RequestError("query is required")),
        (asked(), RequestError("documents must hold at least one text")),
        (asked("a", top_n=0), RequestError("top_n must be at least 1")),
        (asked("a", model="nope"), ModelNotFoundError("model 'nope' not found")),
    ],
    ids=lambda value: str(getattr(value, "message", "")),
)
async def test_requests_that_cannot_be_answered(rerank: Rerank, add_model, request_, expected):
    add_model()
    with pytest.raises(type(expected)) as caught:
        await rerank(request_)
    assert caught.value.message == expected.message


@pytest.mark.parametrize(
    ("written", "capability"),
    [
        ({}, Capability.RERANK),
        ({"pooling": None}, Capability.RERANK),
        ({"pooling": gguf.PoolingType.CLS}, Capability.EMBEDDING),
        ({"pooling": None, "outputs": 0}, Capability.COMPLETION),
        ({"pooling": None, "outputs": 2}, Capability.COMPLETION),
    ],
)
async def test_the_file_says_what_a_model_is_for(models: Models, add_model, tmp_path, written, capability):
    content = write_cross_encoder(tmp_path / "model.gguf", **written).read_bytes()
    add_model("bert", content=content, model_format="gguf")
    assert (await models.find("bert")).capabilities == (capability,)


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ({"pooling": gguf.PoolingType.MEAN}, "compare the vectors of /api/embed, or use a reranker"),
        ({"outputs": 0, "pooling": None}, "it has no head that scores; use a reranker"),
    ],
)
async def test_other_models_are_refused_before_they_are_loaded(rerank: Rerank, add_model, tmp_path, written, advice):
    content = write_cross_encoder(tmp_path / "model.gguf", **written).read_bytes()
    add_model("bert", content=content, model_format="gguf")
    with pytest.raises(UnsupportedCapabilityError, match=advice):
        await rerank(asked("a", model="bert"))
