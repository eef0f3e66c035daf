"""Pictures in the KV cache: what they do to the logits, and what the cache can still do with them."""

import ctypes

import numpy as np
import pytest

from camelid import KVCacheFullError, Media
from camelid.errors import UnsupportedCapabilityError
from camelid_llamacpp.context import float_rows
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.parts import Parts
from camelid_llamacpp.pictures import read_picture

PROJECTORS = ("mlp", "gemma3", "idefics3", "qwen2vl_merger")
CLOSE = {"atol": 0.02}


class Seer:
    """A model's decoder and media tokenizer, and the media that are to be closed."""

    def __init__(self, model, driver) -> None:
        self.model = model
        self.tokenizer = model.media_tokenizer()
        self.decoder = model.decoder()
        self.driver = driver(self.decoder)
        self.media: list[Media] = []

    def cut(self, *parts: str | bytes):
        found = self.tokenizer.tokenize(parts, add_special=True)
        self.media.extend(part for part in found if isinstance(part, Media))
        return found

    def logits(self, sequence: int, *parts: str | bytes):
        """Those after a prompt, computed in an emptied sequence."""
        self.decoder.trim(sequence, 0)
        self.driver.lengths[sequence] = 0
        return self.driver.read(sequence, self.cut(*parts))

    def close(self) -> None:
        for media in self.media:
            media.close()
        self.decoder.close()


@pytest.fixture
def seer(seeing, new_driver):
    opened: list[Seer] = []

    def open_seer(projector: str, **options: object) -> Seer:
        opened.append(Seer(seeing(projector, **options), new_driver))
        return opened[-1]

    yield open_seer
    for seer in opened:
        seer.close()


@pytest.mark.parametrize("projector", PROJECTORS)
def test_what_a_picture_shows_and_where_it_stands_decides_the_logits(seer, draw, projector):
    model = seer(projector)
    first, second = draw(1), draw(2)
    logits = model.logits(0, "a", first, "b", second, "c")
    assert np.allclose(model.logits(1, "a", first, "b", second, "c"), logits, **CLOSE)
    for other in (("a", second, "b", first, "c"), ("a", first, "b", first, "c"), ("ab", first, second, "c")):
        assert not np.allclose(model.logits(1, *other), logits, atol=0.2)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_logits_are_those_that_libmtmd_computes_by_itself(seer, draw, projector):
    model = seer(projector)
    text, size = ("look at ", " and at ", ": which is nicer?"), (96, 64)
    ours = model.logits(1, text[0], draw(1, *size), text[1], draw(2), text[2])
    projector_of_model = model.model._projector
    mtmd = projector_of_model.mtmd
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 192
    context = llama_cpp.llama_init_from_model(model.model._handle, parameters)
    with Parts(mtmd, projector_of_model.handle) as parts:
        for before, picture in zip(text, (draw(1, *size), draw(2), None), strict=True):
            parts.add_text(before.encode())
            if picture is not None:
                parts.add_picture(read_picture(picture))
        parts.cut(add_special=True)
        after = llama_cpp.llama_pos()
        status = mtmd.mtmd_helper_eval_chunks(
            projector_of_model.handle, context, parts._chunks, 0, 0, 192, True, ctypes.byref(after)
        )
    assert status == 0
    address = ctypes.cast(llama_cpp.llama_get_logits_ith(context, -1), ctypes.c_void_p).value
    theirs = float_rows(address, 1, model.model.facts.vocabulary_size)[0].copy()
    llama_cpp.llama_free(context)
    assert np.allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_sequences_with_and_without_pictures_share_batches(seer, draw, projector):
    model = seer(projector)
    driver = model.driver
    seen = model.logits(0, "a", draw(1), "b")
    plain = model.logits(1, "some words")
    following, alone = [299, 300, 301], {}
    for sequence in (0, 1):
        for token in following:
            alone[sequence] = driver.feed({sequence: [token]})[sequence]
    assert np.allclose(model.logits(0, "a", draw(1), "b"), seen, **CLOSE)
    assert np.allclose(model.logits(1, "some words"), plain, **CLOSE)
    for token in following:
        together = driver.feed({0: [token], 1: [token]})
    for sequence in (0, 1):
        assert np.allclose(together[sequence], alone[sequence], **CLOSE)


@pytest.mark.parametrize("projector", PROJECTORS)
@pytest.mark.parametrize("text_kept", [0, 1])
def test_a_shared_prefix_with_a_picture_is_as_good_as_a_computed_one(seer, draw, projector, text_kept):
    model = seer(projector)
    prompt = ("a", draw(1), "bcdefg")
    logits = model.logits(0, *prompt)
    parts = model.cut(*prompt)
    tail = list(parts[-1])
    total = sum(part.length if isinstance(part, Media) else len(part) for part in parts)
    length = total - len(tail) + text_kept
    assert model.decoder.copy_prefix(0, 1, length)
    model.driver.lengths[1] = length
    assert np.allclose(model.driver.feed({1: tail[text_kept:]})[1], logits, **CLOSE)
    assert model.decoder.trim(0, length)
    model.driver.lengths[0] = length
    assert np.allclose(model.driver.feed({0: tail[text_kept:]})[0], logits, **CLOSE)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_prefix_before_the_last_picture_may_be_kept(seer, draw, projector):
    model = seer(projector)
    one, two, three = draw(1), draw(2, 64, 64), draw(3)
    logits = model.logits(0, "a", one, "b", three, "c")
    model.logits(1, "a", one, "b", two, "d")
    kept = sum(part.length if isinstance(part, Media) else len(part) for part in model.cut("a", one))
    assert model.decoder.trim(1, kept)
    model.driver.lengths[1] = kept
    whole, begun = model.cut("a", one, "b", three, "c"), kept
    rest = []
    for part in whole:
        size = part.length if isinstance(part, Media) else len(part)
        if begun < size:
            rest.append(part if isinstance(part, Media) else part[begun:])
        begun = max(0, begun - size)
    assert np.allclose(model.driver.read(1, rest), logits, **CLOSE)


@pytest.mark.parametrize("projector", ["mlp", "qwen2vl_merger"])
def test_a_picture_is_never_cut_nor_moved(seer, draw, projector):
    model = seer(projector)
    logits = model.logits(0, "abc", draw(1), "d")
    start = len(model.cut("abc", draw(1))[0])
    inside = start + 3
    assert not model.decoder.trim(0, inside)
    assert not model.decoder.copy_prefix(0, 1, inside)
    assert not model.decoder.shift(0, 1, 1)
    after = model.driver.feed({0: [300]})[0]
    assert np.allclose(model.logits(1, "abc", draw(1), "d"), logits, **CLOSE)
    assert np.allclose(model.driver.feed({1: [300]})[1], after, **CLOSE)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_sequence_with_pictures_can_be_saved(seer, draw, projector):
    model = seer(projector)
    model.logits(0, "abc", draw(1, 64, 32), "d")
    state = model.decoder.save(0)
    model.decoder.restore(2, state)
    model.driver.lengths[2] = model.driver.lengths[0]
    logits = model.driver.feed({0: [300], 2: [300]})
    assert np.allclose(logits[0], logits[2], **CLOSE)


@pytest.mark.parametrize("projector", ["mlp", "qwen2vl_merger"])
def test_without_room_nothing_of_a_picture_stays(seer, draw, projector):
    model = seer(projector, context_length=64, parallel=2, batch_tokens=8)
    prompt = ("a", draw(1, 64, 32), "b")
    logits = model.logits(0, *prompt)
    driver = model.driver
    filler = [300] * (model.decoder.limits.cells - driver.lengths[0] - 10)
    driver.read(1, [filler])
    (picture,) = (part for part in model.cut(draw(2, 64, 64)) if isinstance(part, Media))
    assert picture.length == 16  # two batches, of which the first finds room
    for _ in range(2):
        with pytest.raises(KVCacheFullError):
            model.decoder.decode_media(0, driver.lengths[0], picture)
    after = driver.feed({0: [300]})[0]
    assert model.decoder.trim(1, 0)
    driver.lengths[1] = 0
    assert np.allclose(model.logits(0, *prompt), logits, **CLOSE)
    assert np.allclose(driver.feed({0: [300]})[0], after, **CLOSE)


def test_a_picture_is_encoded_once_for_all_requests(seer, draw, monkeypatch):
    model = seer("mlp")
    encoded = []
    projector = model.model._projector
    encode = projector.encode

    def counted(chunk: int, tokens: int):
        encoded.append(tokens)
        return encode(chunk, tokens)

    monkeypatch.setattr(projector, "encode", counted)
    logits = model.logits(0, "a", draw(1), "b")
    assert np.array_equal(model.logits(0, "a", draw(1), "b"), logits)
    model.logits(0, "a", draw(2), "b", draw(1), "c")
    assert encoded == [16, 16]


def test_without_a_cache_a_picture_is_encoded_once_a_request(seer, draw, monkeypatch):
    model = seer("mlp", backend={"media_cache": 0})
    (_, picture) = model.cut("a", draw(1))
    model.decoder.decode_media(0, 0, picture)
    states = picture.states
    model.decoder.decode_media(1, 0, picture)
    assert picture.states is states
    assert model.cut("a", draw(1))[1].states is None


def test_a_model_whose_pictures_are_not_divided_computes_them_in_one_batch(seer, draw):
    model = seer("gemma3", batch_tokens=2)
    assert model.decoder.limits.batch_tokens == 2
    wide = seer("gemma3", batch_tokens=32)
    assert np.allclose(model.logits(0, "a", draw(1), "b"), wide.logits(0, "a", draw(1), "b"), **CLOSE)


def test_a_model_without_a_projector_takes_no_pictures(seer, draw, load, tiny):
    (_, picture) = seer("mlp").cut("a", draw(1))
    model = load(tiny["llama"])
    assert model.media_tokenizer() is None
    with pytest.raises(UnsupportedCapabilityError):
        model.decoder().decode_media(0, 0, picture)
    model.close()


def test_positions_in_several_dimensions_cannot_be_moved(seer):
    model = seer("qwen2vl_merger")
    logits = model.logits(0, "only text here")
    assert not model.decoder.shift(0, 1, 3)
    after = model.driver.feed({0: [300]})[0]
    assert np.allclose(model.logits(1, "only text here"), logits, **CLOSE)
    assert np.allclose(model.driver.feed({1: [300]})[1], after, **CLOSE)
