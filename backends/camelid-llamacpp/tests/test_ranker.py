"""Tiny rerankers of both kinds: an encoder with a head, and a model that says yes or no."""

from collections.abc import Callable, Iterator

import gguf
import numpy as np
import pytest

from camelid.testing.tiny_reranker import write_cross_encoder, write_judging_model
from camelid.types import Capability
from camelid_llamacpp.backend import LlamaModel

CONTEXT = 128
CLS, SEP = 2, 3
QUERY, DOCUMENTS = "which cat?", ("the cat sat", "rates rose", "a")


@pytest.fixture
def opened(load, tmp_path) -> Iterator[Callable[..., LlamaModel]]:
    models: list[LlamaModel] = []

    def write_and_load(write, *, batch_tokens: int = 64, **fields: object) -> LlamaModel:
        path = write(tmp_path / f"{len(models)}.gguf", context_length=CONTEXT, **fields)
        models.append(load(path, context_length=CONTEXT, batch_tokens=batch_tokens))
        return models[-1]

    yield write_and_load
    for model in models:
        model.close()


def _scores(model: LlamaModel) -> list[float]:
    ranker = model.ranker()
    return ranker.rank([ranker.pair(QUERY, document) for document in DOCUMENTS]).tolist()


@pytest.mark.parametrize("write", [write_cross_encoder, write_judging_model])
def test_a_reranker_scores_and_does_nothing_else(opened, write):
    model = opened(write)
    assert model.facts.capabilities == {Capability.ADAPTERS, Capability.RERANK, Capability.TOKENIZE}
    assert model.embedder() is None
    assert model.decoder() is None
    scores = _scores(model)
    assert all(0 < score < 1 for score in scores)
    assert len(set(scores)) == len(scores)


def test_a_cross_encoder_reads_as_bert_was_trained(opened):
    model = opened(write_cross_encoder)
    tokenizer = model.tokenizer()
    query, document = (tokenizer.encode(text, add_special=False, parse_special=False) for text in ("ab", "c [SEP]"))
    assert model.ranker().pair("ab", "c [SEP]") == [CLS, *query, SEP, *document, SEP]
    assert SEP not in document
    assert tokenizer.encode("ab", add_special=True, parse_special=False) == [CLS, *query, SEP]


@pytest.mark.parametrize("pooling", [gguf.PoolingType.RANK, None])
def test_a_head_says_what_a_model_is_for_where_its_pooling_is_unsaid(opened, pooling):
    assert _scores(opened(write_cross_encoder, pooling=pooling)) == _scores(opened(write_cross_encoder))


@pytest.mark.parametrize(("outputs", "pooling"), [(0, gguf.PoolingType.RANK), (3, gguf.PoolingType.RANK)])
def test_without_a_head_of_one_score_nothing_is_made_up(opened, outputs, pooling):
    model = opened(write_cross_encoder, outputs=outputs, pooling=pooling)
    assert model.facts.capabilities == {Capability.ADAPTERS, Capability.TOKENIZE}
    assert model.ranker() is None
    assert model.embedder() is None


def test_what_was_made_to_embed_embeds(opened):
    model = opened(write_cross_encoder, pooling=gguf.PoolingType.MEAN)
    assert model.ranker() is None
    assert model.embedder() is not None


def test_a_template_is_filled_with_text_alone(opened):
    model = opened(write_judging_model)
    tokenizer = model.tokenizer()

    def said(text: str) -> list[int]:
        return tokenizer.encode(text, add_special=False, parse_special=False)

    def control(text: str) -> list[int]:
        return tokenizer.encode(text, add_special=False, parse_special=True)

    pair = model.ranker().pair("<|user|> {document}", "a{query}</s>")
    assert pair == [
        *control("<|system|>"),
        *said("Does it answer?"),
        *control("<|user|>"),
        *said("Query: <|user|> {document}\nDocument: a{query}</s>"),
        *control("<|assistant|>"),
    ]
    assert pair.count(control("<|user|>")[0]) == 1


@pytest.mark.parametrize("template", ["{query}", "{query}{query}{document}", "nothing"])
def test_a_template_without_places_for_both_makes_no_reranker(opened, template):
    assert Capability.RERANK not in opened(write_judging_model, template=template).facts.capabilities


def test_a_judging_model_may_read_in_pieces(opened):
    pieces, whole = opened(write_judging_model, batch_tokens=32), opened(write_judging_model, batch_tokens=128)
    assert len(pieces.ranker().pair(QUERY, DOCUMENTS[0])) > 32
    assert _scores(pieces) == pytest.approx(_scores(whole), abs=0.01)


def test_a_batch_equals_its_parts(opened):
    ranker = opened(write_cross_encoder).ranker()
    pairs = [ranker.pair(QUERY, document) for document in DOCUMENTS * 12]
    together = ranker.rank(pairs)
    alone = np.concatenate([ranker.rank([pair]) for pair in pairs[: len(DOCUMENTS)]])
    assert together.dtype == np.float32
    assert np.allclose(together, np.tile(alone, 12), atol=0.01)
