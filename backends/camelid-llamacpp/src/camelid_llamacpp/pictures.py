"""Picture files of strangers as pixels."""

import io
import warnings
from typing import TYPE_CHECKING

import msgspec

from camelid.errors import RequestError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ("ACCEPTED_PICTURES", "MOST_PIXELS", "Picture", "read_picture", "scaled")

MOST_PIXELS = 64 * 2**20
"""More than most cameras have; as RGB they take 192 MiB."""
ACCEPTED_PICTURES = "PNG, JPEG, WebP, GIF and BMP files"

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


class Picture(msgspec.Struct, frozen=True):
    """A picture as a projector takes it."""

    width: int
    height: int
    rgb: bytes
    """Three bytes for each pixel, row by row from the top."""


def read_picture(data: bytes) -> Picture:
    """Decode a file: the first frame, turned as its camera was held, on white where it is transparent.

    Raises:
        RequestError: it is no picture, a broken one, or too large.
    """
    # Pillow is imported with the first picture: most models never see one.
    from PIL import Image  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            # Pillow warns of files made to exhaust the memory, and of oddities that do no harm.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(*image.size)
                flat = _flattened(image)
                return Picture(*flat.size, flat.tobytes())
    except RequestError:
        raise
    except Exception as error:
        # Decoders of hostile files raise nearly everything there is.
        raise RequestError(
            f"a picture cannot be read: it is damaged, incomplete, or of another format than {ACCEPTED_PICTURES}",
            reason=f"{type(error).__name__}: {error}",
        ) from error


def scaled(picture: Picture, width: int, height: int) -> Picture:
    """The picture in another size, in pixels."""
    from PIL import Image  # noqa: PLC0415

    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    return Picture(width, height, image.resize((width, height), Image.Resampling.BICUBIC).tobytes())


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise RequestError(
            f"a picture has {width} by {height} pixels; send one of at most {MOST_PIXELS // 10**6} million pixels"
        )


def _flattened(image: "Image.Image") -> "Image.Image":
    """Upright, opaque, RGB."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        upright = upright.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if upright.has_transparency_data:
        background = Image.new("RGBA", upright.size, "white")
        background.alpha_composite(upright.convert("RGBA"))
        upright = background
    return upright.convert("RGB")
