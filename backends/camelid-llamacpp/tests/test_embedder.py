"""Embeddings of the real model, which has no pooling of its own: the mean over its tokens."""

import numpy as np
import pytest

from camelid.errors import ModelError

SENTENCES = ("The cat sat on the mat.", "A cat was sitting on a mat.", "Interest rates rose by three percent!")


def _cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_similar_sentences_lie_closer(embedder, encode):
    vectors = embedder.embed([encode(sentence) for sentence in SENTENCES])
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, embedder.dimensions)
    cosines = _cosines(vectors)
    assert cosines[0, 1] > cosines[0, 2]
    assert cosines[0, 1] > cosines[1, 2]


def test_a_batch_equals_its_parts(embedder, encode):
    inputs = [encode(sentence) for sentence in SENTENCES]
    together = embedder.embed(inputs)
    alone = np.concatenate([embedder.embed([tokens]) for tokens in inputs])
    assert np.diag(_cosines(np.concatenate([together, alone]))[:3, 3:]).min() > 0.999


def test_long_inputs_are_computed_in_pieces(load, encode):
    tokens = encode("Camelids are even-toed ungulates. " * 30)[:120]
    vectors = {}
    for batch_tokens in (32, 128):
        model = load(context_length=128, batch_tokens=batch_tokens)
        vectors[batch_tokens] = model.embedder().embed([tokens, tokens[:5]])
        model.close()
    assert np.diag(_cosines(np.concatenate([vectors[32], vectors[128]]))[:2, 2:]).min() > 0.999


def test_many_short_inputs_are_one_computation(embedder, encode, monkeypatch):
    compute, sizes = embedder._compute, []

    def counting(context, batch):
        sizes.append(batch.n_tokens)
        return compute(context, batch)

    monkeypatch.setattr(embedder, "_compute", counting)
    inputs = [encode(f"{number}") for number in range(30)]
    embedder.embed(inputs)
    assert sizes == [sum(map(len, inputs))]


def test_more_inputs_than_one_batch_holds_keep_their_order(embedder, encode):
    inputs = [encode(f"Number {number}") for number in range(40)]
    vectors = embedder.embed(inputs)
    again = embedder.embed(inputs[::-1])[::-1]
    assert (np.diag(_cosines(np.concatenate([vectors, again]))[:40, 40:]) > 0.999).all()


def test_the_longest_input_is_the_context(embedder):
    assert embedder.max_tokens == 64
    assert np.isfinite(embedder.embed([[5] * embedder.max_tokens])).all()


def test_embedding_leaves_generation_alone(driver, embedder, encode):
    before = driver.feed({0: encode("The capital of France is")})[0]
    embedder.embed([encode(SENTENCES[0])])
    driver.reset()
    assert np.array_equal(driver.feed({0: encode("The capital of France is")})[0], before)


def test_a_failed_computation_leaves_the_embedder_usable(embedder):
    with pytest.raises(ModelError):
        embedder.embed([[10**9]])
    assert np.isfinite(embedder.embed([[5, 6]])).all()
