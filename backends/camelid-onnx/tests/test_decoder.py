"""The decoder on `Generator`s: guesses that are verified, runs that fail, memories that cannot go back."""

import numpy as np
import pytest

from camelid import Batch
from camelid.errors import ModelError
from camelid.testing.tiny_onnx import PAD, write_language_model

TOKENS = list(b"ab ab ab ab")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_language_model(tmp_path_factory.mktemp("tiny"))


def decoded(decoder, sequence, tokens, position, *, each=False):
    """The logits of the last token, or of each."""
    batch = Batch(64)
    last = batch.add(sequence, tokens, position, output=True, each=each)
    decoder.decode(batch)
    rows = range(last + 1 - len(tokens), last + 1) if each else [last]
    return np.stack([decoder.logits(row) for row in rows])


def test_each_row_of_a_run_has_its_logits(load, folder):
    decoder = load(folder).generator()
    together = decoded(decoder, 0, TOKENS, 0, each=True)
    alone = np.concatenate([decoded(decoder, 1, [token], place) for place, token in enumerate(TOKENS)])
    assert np.array_equal(together, alone)
    assert together.argmax(1)[-1] == ord(" ")


def test_sequences_of_one_batch_do_not_mix(load, folder):
    decoder = load(folder).generator()
    batch = Batch(64)
    rows = [batch.add(0, list(b"xyxyx"), 0, output=True), batch.add(1, list(b"1212"), 0, output=True)]
    decoder.decode(batch)
    assert [chr(decoder.logits(row).argmax()) for row in rows] == ["y", "1"]


def test_a_sequence_goes_back(load, folder):
    decoder = load(folder).generator()
    expected = decoded(decoder, 0, TOKENS, 0)
    decoded(decoder, 0, list(b"something else"), len(TOKENS))
    assert decoder.trim(0, 4)
    assert np.array_equal(decoded(decoder, 0, TOKENS[4:], 4), expected)
    assert decoder.trim(0, 0)
    assert np.array_equal(decoded(decoder, 0, TOKENS, 0), expected)


def test_a_run_that_fails_is_an_error_and_the_next_goes_well(load, tmp_path):
    """The graph has no row for the last token of the vocabulary: computing it fails."""
    folder = write_language_model(tmp_path / "tiny", rows=PAD)
    decoder = load(folder).generator()
    with pytest.raises(ModelError, match="ONNX Runtime failed to compute model 'tiny' on CPU") as caught:
        decoded(decoder, 0, [*TOKENS, PAD], 0)
    assert "Gather" in caught.value.reason
    assert decoder.trim(0, 0)
    assert decoded(decoder, 0, TOKENS, 0).argmax() == ord(" ")
