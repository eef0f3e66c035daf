"""Prompts with pictures in them."""

import io
import itertools
import struct

import pytest
from PIL import Image

from camelid import Media
from camelid.errors import RequestError
from camelid_llamacpp.media import LlamaMedia


@pytest.fixture
def cut(seeing):
    """Tokenize a prompt for the model of a projector, text and picture files in turn."""
    opened: list[Media] = []

    def tokenize(projector: str, *parts: str | bytes, add_special: bool = True, **options: object):
        tokenizer = seeing(projector, **options).media_tokenizer()
        found = tokenizer.tokenize(parts, add_special=add_special)
        opened.extend(part for part in found if isinstance(part, Media))
        return found

    yield tokenize
    for media in opened:
        media.close()


def _lengths(parts) -> list[int]:
    return [part.length for part in parts if isinstance(part, Media)]


def _digests(parts) -> list[bytes]:
    return [part.digest for part in parts if isinstance(part, Media)]


def test_text_is_tokenized_around_pictures_as_it_is_alone(seeing, draw):
    model = seeing("mlp")
    tokenizer, plain = model.media_tokenizer(), model.tokenizer()
    before, picture, after = tokenizer.tokenize(["<|im_start|>See\0 é: ", draw(1), " what?"], add_special=True)
    assert list(before) == plain.encode("<|im_start|>See\0 é: ", add_special=True, parse_special=True)
    assert isinstance(picture, LlamaMedia)
    assert (picture.length, picture.advance) == (16, 16)
    assert list(after) == plain.encode(" what?", add_special=False, parse_special=True)
    picture.close()


def test_lone_surrogates_are_replaced(cut, draw):
    assert cut("mlp", "a\ud800b", draw(1))[0] == cut("mlp", "a\ufffdb", draw(1))[0]


def test_a_begin_token_stands_in_front_even_of_a_picture(cut, draw):
    begin, picture, _ = cut("mlp", draw(1), " hi")
    assert list(begin) == [1]
    assert isinstance(picture, Media)
    assert isinstance(cut("mlp", draw(1), " hi", add_special=False)[0], Media)


def test_the_model_gets_the_tokens_that_it_wants_around_pictures(seeing, draw):
    model = seeing("gemma3")
    parts = model.media_tokenizer().tokenize(["a", draw(1), "b"], add_special=False)
    plain = model.tokenizer()
    assert list(parts[0]) == plain.encode("a<start_of_image>", add_special=False, parse_special=True)
    assert parts[1].length == 4
    assert list(parts[2]) == plain.encode("<end_of_image>b", add_special=False, parse_special=True)
    parts[1].close()


def test_a_picture_may_become_several_pieces_with_text_between(cut, draw):
    parts = cut("idefics3", "a", draw(1, 64, 32), "b")
    assert _lengths(parts) == [4, 4, 4]
    assert len(set(_digests(parts))) == 3
    assert all(isinstance(left, Media) != isinstance(right, Media) for left, right in itertools.pairwise(parts))


def test_a_large_picture_of_a_model_in_two_dimensions_takes_few_positions(cut, draw):
    (picture,) = (part for part in cut("qwen2vl_merger", draw(1, 96, 64)) if isinstance(part, LlamaMedia))
    assert picture.length == 24  # six by four
    assert picture.advance == 6


def test_digests_tell_pictures_apart_wherever_they_stand(cut, draw):
    one, again, other = _digests(cut("mlp", draw(1), draw(1), "text", draw(2)))
    assert one == again
    assert one != other
    assert len(one) >= 16
    assert _digests(cut("mlp", "elsewhere", draw(1))) == [one]


def test_the_same_pixels_in_another_file_are_the_same_picture(cut, draw):
    assert _digests(cut("mlp", draw(1, kind="PNG"))) == _digests(cut("mlp", draw(1, kind="BMP")))


def test_the_same_bytes_in_another_shape_are_another_picture(cut):
    files = []
    for size in ((8, 2), (2, 8)):
        file = io.BytesIO()
        Image.new("RGB", size, "red").save(file, "PNG")
        files.append(file.getvalue())
    one, other = _digests(cut("mlp", *files))
    assert one != other


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2000, 10)])
@pytest.mark.parametrize("projector", ["mlp", "gemma3", "qwen2vl_merger"])
def test_odd_shapes_are_taken(cut, draw, projector, size):
    assert all(length > 0 for length in _lengths(cut(projector, draw(1, *size))))


def test_what_cannot_be_cut_into_parts_is_refused(cut, draw):
    with pytest.raises(RequestError, match="too narrow"):
        cut("idefics3", draw(1, 2000, 10))


def test_a_picture_takes_at_most_half_of_the_context(cut, draw):
    huge = draw(1, 640, 480)
    assert _lengths(cut("qwen2vl_merger", huge, context_length=4096)) == [1200]
    (smaller,) = _lengths(cut("qwen2vl_merger", huge, context_length=192))
    assert 48 < smaller <= 96


def test_a_picture_that_the_model_makes_smaller_itself_still_fits(cut, draw):
    photo = draw(1, 2400, 1800, "BMP")
    (most,) = _lengths(cut("qwen2vl_merger", photo, context_length=16384))
    assert 3800 < most <= 4096
    (fitting,) = _lengths(cut("qwen2vl_merger", photo, context_length=4096))
    assert 1500 < fitting <= 2048


def test_a_picture_of_a_model_with_one_size_stays_as_it_is(cut, draw):
    assert _digests(cut("mlp", draw(1, 400, 300), context_length=16)) == _digests(cut("mlp", draw(1, 400, 300)))


def test_what_is_no_picture_is_refused(cut, draw):
    for file in (b"", b"\x89PNG", b"%PDF-1.7", b"GIF89a", draw(1)[:200], b"RIFF0000WEBPVP8 "):
        with pytest.raises(RequestError, match="PNG, JPEG, WebP, GIF and BMP"):
            cut("mlp", "a", draw(2), file)


def test_sound_is_refused_by_a_model_that_only_sees(cut):
    wav = b"RIFF" + struct.pack("<I", 40) + b"WAVE" + bytes(32)
    with pytest.raises(RequestError, match="cannot hear"):
        cut("mlp", wav)


def test_media_are_freed_once(seeing, draw):
    (picture,) = seeing("mlp").media_tokenizer().tokenize([draw(1)], add_special=False)
    assert picture.chunk
    picture.close()
    picture.close()
