"""Sequences over the shared KV cache."""

import numpy as np
import pytest

from camelid import Batch, KVCacheFullError
from camelid.errors import ModelError
from camelid_llamacpp.decoder import OUTPUT_ROWS

PROMPT = "The capital of France is"
OTHER = "Two plus two equals"


def test_greedy_text_is_known(driver, encode, tokenizer):
    logits = driver.feed({0: encode(PROMPT)})[0]
    assert tokenizer.decode(driver.greedy(0, logits, 4)).startswith(b" Paris")


def test_sequences_in_one_batch_do_not_see_each_other(driver, encode):
    alone = {0: driver.feed({0: encode(PROMPT)})[0], 1: driver.feed({1: encode(OTHER)})[1]}
    driver.reset()
    together = driver.feed({0: encode(PROMPT), 1: encode(OTHER)})
    for sequence in (0, 1):
        assert together[sequence].argmax() == alone[sequence].argmax()
        assert np.abs(together[sequence] - alone[sequence]).max() < 0.5  # other kernels for other batch sizes


def test_greedy_text_is_the_same_alone_and_beside_others(driver, encode):
    alone = driver.greedy(0, driver.feed({0: encode(PROMPT)})[0], 8)
    driver.reset()
    logits = driver.feed({0: encode(PROMPT), 1: encode(OTHER)})
    beside = []
    for _ in range(8):
        beside.append(int(logits[0].argmax()))
        logits = driver.feed({0: beside[-1:], 1: [int(logits[1].argmax())]})
    assert beside == alone


def test_chunks_are_as_good_as_the_whole(driver, encode):
    prompt = encode(PROMPT * 4)
    whole = driver.feed({0: prompt})[0]
    driver.reset()
    driver.feed({0: prompt[:7]})
    chunked = driver.feed({0: prompt[7:]})[0]
    assert chunked.argmax() == whole.argmax()
    assert np.abs(chunked - whole).max() < 0.5


def test_only_output_rows_have_logits(decoder, driver, encode):
    driver.feed({0: encode(PROMPT)})
    with pytest.raises(IndexError):
        decoder.logits(0)
    with pytest.raises(IndexError):
        decoder.logits(63)


def test_trim_goes_back(driver, decoder, encode):
    prompt = encode(PROMPT)
    first = driver.feed({0: prompt})[0]
    driver.greedy(0, first, 5)
    assert decoder.trim(0, len(prompt) - 1)
    driver.lengths[0] = len(prompt) - 1
    again = driver.feed({0: prompt[-1:]})[0]
    assert again.argmax() == first.argmax()
    assert np.abs(again - first).max() < 0.5


def test_a_prefix_is_shared_while_its_source_goes_on(driver, decoder, encode):
    prefix = encode(PROMPT)
    expected = driver.greedy(0, driver.feed({0: prefix + encode(" the city of")})[0], 5)
    driver.reset()
    driver.greedy(0, driver.feed({0: prefix})[0], 3)
    assert decoder.copy_prefix(0, 1, len(prefix))
    driver.lengths[1] = len(prefix)
    logits = driver.feed({0: [5], 1: encode(" the city of")})
    assert driver.greedy(1, logits[1], 5) == expected
    assert decoder.trim(0, 0)
    driver.lengths[0] = 0
    assert np.isfinite(driver.feed({1: [5]})[1]).all()  # the copy outlives its source


def test_a_shared_prefix_takes_no_room(driver, decoder):
    cells = decoder.limits.cells
    for start in range(0, cells - 64, 64):
        driver.feed({0: [7] * 64})
        assert driver.lengths[0] == start + 64
    for sequence in (1, 2, 3):
        assert decoder.copy_prefix(0, sequence, cells - 64)
        driver.lengths[sequence] = cells - 64
    driver.feed({1: [8] * 20, 2: [9] * 20, 3: [10] * 20})


def test_no_more_than_the_source_has_can_be_copied(driver, decoder):
    driver.feed({0: [5, 6, 7]})
    assert not decoder.copy_prefix(0, 1, 4)


def test_shift_moves_the_tail(driver, decoder, encode):
    prompt = encode(PROMPT * 3)
    driver.feed({0: prompt})
    assert decoder.shift(0, 4, 8)
    driver.lengths[0] -= 8
    shifted = driver.feed({0: [5]})[0]
    driver.reset()
    fresh = driver.feed({0: prompt[:4] + prompt[12:] + [5]})[0]
    assert np.corrcoef(shifted, fresh)[0, 1] > 0.9  # the kept tokens still know of the dropped ones


def test_shared_tokens_are_not_moved_under_others(driver, decoder, encode):
    prompt = encode(PROMPT * 4)
    driver.feed({0: prompt})
    assert decoder.copy_prefix(0, 1, 12)
    driver.lengths[1] = 12
    assert decoder.copy_prefix(1, 2, 10)
    driver.lengths[2] = 10
    before = driver.feed({2: prompt[10:12]})[2]
    assert not decoder.shift(0, 2, 4)
    assert decoder.shift(0, 4, 8)
    driver.lengths[0] -= 8
    driver.feed({0: [5]})
    assert decoder.trim(2, 10)
    driver.lengths[2] = 10
    after = driver.feed({2: prompt[10:12]})[2]
    assert np.abs(after - before).max() < 0.5
    assert decoder.trim(1, 0)
    assert decoder.trim(2, 0)
    assert decoder.shift(0, 0, 2)


def test_a_saved_sequence_goes_on_elsewhere(driver, decoder, encode):
    logits = driver.feed({0: encode(PROMPT)})[0]
    state = decoder.save(0)
    expected = driver.greedy(0, logits, 5)
    decoder.restore(2, state)
    driver.lengths[2] = len(encode(PROMPT))
    assert driver.greedy(2, logits, 5) == expected


def test_a_sequence_is_saved_as_shifted(load, new_driver, encode):
    model = load(cache_type="f32", flash_attention=False)  # exact, whatever the order of the cells
    decoder = model.decoder()
    driver = new_driver(decoder)
    driver.feed({0: encode(PROMPT * 3)})
    assert decoder.shift(0, 4, 8)
    driver.lengths[0] -= 8
    decoder.restore(1, decoder.save(0))
    driver.lengths[1] = driver.lengths[0]
    logits = driver.feed({0: [5], 1: [5]})
    assert np.abs(logits[0] - logits[1]).max() < 0.001
    model.close()


@pytest.mark.parametrize("state", [b"", b"no state at all" * 10])
def test_foreign_states_are_refused(driver, decoder, state):
    with pytest.raises(ModelError):
        decoder.restore(0, state)
    assert driver.feed({0: [5]})[0].argmax() >= 0


def test_restoring_into_a_full_cache_leaves_the_sequence_empty(driver, decoder):
    driver.feed({1: [5] * 60})
    state = decoder.save(1)
    for _ in range(decoder.limits.cells // 64 - 1):
        driver.feed({0: [7] * 64})
    with pytest.raises(KVCacheFullError):
        decoder.restore(2, state)
    assert np.isfinite(driver.feed({2: [5]})[2]).all()


def test_a_full_cache_says_so_and_stays_as_it_was(driver, decoder):
    for _ in range(decoder.limits.cells // 64):
        driver.feed({0: [7] * 64})
    with pytest.raises(KVCacheFullError):
        driver.feed({1: [5]})
    with pytest.raises(KVCacheFullError):
        driver.feed({0: [7]})
    assert decoder.trim(0, decoder.limits.cells - 1)
    assert np.isfinite(driver.feed({1: [5]})[1]).all()
    with pytest.raises(KVCacheFullError):
        driver.feed({1: [5]})


def test_batches_beyond_the_limits_are_refused_before_llama_cpp_aborts(decoder):
    size = decoder.limits.batch_tokens
    batch = Batch(size + OUTPUT_ROWS + 1)
    with pytest.raises(ModelError):
        decoder.decode(batch)
    batch.add(0, [5] * (size + 1), 0, output=True)
    with pytest.raises(ModelError):
        decoder.decode(batch)


def test_an_invalid_batch_is_an_error_with_a_reason(driver, decoder):
    batch = Batch(8)
    batch.add(0, [10**9], 0, output=True)
    with pytest.raises(ModelError) as caught:
        decoder.decode(batch)
    assert "invalid token" in caught.value.reason


def test_batches_may_alternate(driver, decoder):
    first, second = Batch(8), Batch(8)
    first.add(0, [5, 6, 7], 0, output=True)
    second.add(1, [9, 8], 0, output=True)
    expected = []
    for batch in (first, second):
        decoder.decode(batch)
        expected.append(int(decoder.logits(batch.size - 1).argmax()))
    driver.reset()
    assert expected == [int(driver.feed({0: [5, 6, 7]})[0].argmax()), int(driver.feed({1: [9, 8]})[1].argmax())]
