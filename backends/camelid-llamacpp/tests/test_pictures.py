"""Picture files of strangers."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from camelid.errors import RequestError
from camelid_llamacpp.pictures import MOST_PIXELS, Picture, read_picture, scaled

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def _file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _two_colors(width: int = 2, height: int = 1) -> Image.Image:
    image = Image.new("RGB", (width, height), GREEN)
    image.paste(RED, (0, 0, width // 2, height))
    return image


def _pixels(picture: Picture) -> np.ndarray:
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP"])
def test_pixels_come_row_by_row_in_red_green_and_blue(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = read_picture(_file(_two_colors(4, 2), kind, **options))
    assert (picture.width, picture.height) == (4, 2)
    assert picture.rgb == bytes((*RED, *RED, *GREEN, *GREEN) * 2)


def test_jpeg_is_read():
    picture = read_picture(_file(Image.new("RGB", (16, 8), RED), "JPEG", quality=95))
    assert np.allclose(_pixels(picture), RED, atol=4)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_other_colors_become_rgb(mode):
    white = Image.new("RGB", (3, 3), WHITE).convert(mode)
    picture = read_picture(_file(white, "JPEG" if mode == "CMYK" else "PNG"))
    assert np.allclose(_pixels(picture), 255, atol=2)


def test_grey_of_sixteen_bits_keeps_its_shades():
    shades = np.array([[0, 256 * 100, 65535]], np.uint16)
    assert _pixels(read_picture(_file(Image.fromarray(shades))))[0, :, 0].tolist() == [0, 100, 255]


def test_what_is_transparent_is_white():
    image = Image.new("RGBA", (3, 1), (*RED, 0))
    image.putpixel((1, 0), (*RED, 255))
    image.putpixel((2, 0), (*RED, 128))
    assert _pixels(read_picture(_file(image)))[0].tolist() == [[255] * 3, [255, 0, 0], [255, 127, 127]]


def test_a_transparent_palette_color_is_white():
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    assert _pixels(read_picture(_file(image, transparency=0)))[0].tolist() == [[255] * 3, list(GREEN)]


def test_a_picture_is_turned_as_its_camera_was_held():
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is at the right edge
    picture = read_picture(_file(_two_colors(2, 1), exif=exif))
    assert (picture.width, picture.height) == (1, 2)
    assert picture.rgb == bytes((*RED, *GREEN))


def test_of_several_frames_the_first_is_taken():
    frames = [Image.new("RGB", (2, 2), color) for color in (RED, GREEN)]
    assert read_picture(_file(frames[0], "GIF", save_all=True, append_images=frames[1:])).rgb == bytes(RED * 4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_truncated_file_is_refused(kind):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    file = _file(noise, kind)
    for length in (len(file) // 8, len(file) // 2, len(file) * 9 // 10):
        with pytest.raises(RequestError) as caught:
            read_picture(file[:length])
        assert caught.value.reason


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "EPS", "PDF"])
def test_other_formats_are_refused(kind):
    with pytest.raises(RequestError, match="PNG, JPEG, WebP, GIF and BMP"):
        read_picture(_file(_two_colors(16, 16), kind))


@pytest.mark.parametrize(("width", "height"), [(9000, 8000), (2**31 - 1, 2**31 - 1), (65536, 65536)])
def test_a_small_file_that_says_it_is_huge_is_refused(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(2**20))), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    assert width * height > MOST_PIXELS
    with pytest.raises(RequestError):
        read_picture(bomb)


def test_a_compressed_note_that_swells_is_refused():
    note = b"Comment\0\0" + zlib.compress(bytes(2**28))
    plain = _file(_two_colors())
    chunk = struct.pack(">I", len(note)) + b"zTXt" + note + struct.pack(">I", zlib.crc32(b"zTXt" + note))
    with pytest.raises(RequestError):
        read_picture(plain[:33] + chunk + plain[33:])


@given(st.binary(max_size=300), st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_damage_is_survived_or_refused(noise, position):
    file = bytearray(_file(_two_colors(8, 8)))
    file[position : position + len(noise)] = noise
    for data in (noise, bytes(file)):
        try:
            picture = read_picture(data)
        except RequestError:
            continue
        assert len(picture.rgb) == 3 * picture.width * picture.height


def test_scaling_keeps_what_is_to_be_seen():
    half = scaled(read_picture(_file(_two_colors(64, 32))), 16, 8)
    assert (half.width, half.height) == (16, 8)
    assert _pixels(half)[4, 2].tolist() == list(RED)
    assert _pixels(half)[4, 13].tolist() == list(GREEN)
