"""The bytes of an uploaded image to sRGB pixels, with the colors, the way up and the first frame that a viewer shows.

Pillow decodes; what it leaves to its caller is done on the way, in this order: the size is limited, a part of a picture
is refused (models/decoding/completeness.py), samples become eight bits (models/decoding/bit_depth.py), colors become sRGB
(models/decoding/icc.py), transparent pixels show a background (models/decoding/alpha.py), and the picture is turned upright. BPG,
which Pillow does not know, is decoded by models/codecs/bpg, which does the first three itself.

Pillow's own limit on pixels (`Image.MAX_IMAGE_PIXELS`: an error above 179 million) is left alone, for everyone else in
the process. It only ever comes second: the size is checked here before any pixel is decoded.
"""

import ctypes
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, _imaging
from PIL import WebPImagePlugin as WebPImagePlugin  # registers its reader, or Image.open would import every format's

from models.codecs import bpg
from models.codecs.bpg import container
from models.codecs.bpg.container import Alpha, ExtensionTag, PixelFormat
from models.decoding.alpha import ColorKey, composite, find_transparency
from models.decoding.bit_depth import eight_bit
from models.decoding.completeness import check_after_loading, check_before_loading
from models.decoding.icc import conversion
from models.decoding.preflight import ACCEPTED_FORMATS, check_jpeg, check_png, check_tiff, identify
from models.errors import BadImage, CodecError, ColorCNNError, ImageTooLarge

__all__ = ["ACCEPTED_FORMATS", "MAX_PIXELS", "DecodedImage", "decode"]

MAX_PIXELS = 50_000_000
"""Pixels of the largest image that is decoded unless the caller says otherwise."""

# Pillow warns about damage that it steps over, with texts that vary with the file, so that Python's memory of warnings
# already given would grow with every upload. Silenced once, here, for Pillow's modules only: warnings.catch_warnings()
# around each call would swap state that all threads share.
for _category in (UserWarning, Image.DecompressionBombWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it logs errors of files, which are no errors of the service
with suppress(AttributeError, OSError):  # libtiff would write a line to stderr for each damaged row of a fax
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

# EXIF orientation (EXIF 2.32, tag 0x0112) as: swap rows and columns, then flip rows, then flip columns.
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}

_INFO: Mapping[int, str] = {ExtensionTag.EXIF: "exif", ExtensionTag.ICC: "icc_profile"}
"""Where Pillow keeps what a BPG file has as extensions."""

_TURNED = "EXIF orientation applied"


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as a viewer would show it.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, upright, contiguous.
        format: which of ACCEPTED_FORMATS it came in.
        notes: what was done or left out on the way, one short ASCII phrase each; empty for an ordinary image.
    """

    pixels: npt.NDArray[np.uint8]
    format: str
    notes: tuple[str, ...] = ()


def decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS, background: tuple[int, int, int] = (255, 255, 255)
) -> DecodedImage:
    """Decode an uploaded image to upright sRGB pixels.

    An animation gives its first frame, a document of several pages its first page. Safe to call from several threads.

    Args:
        data: the bytes of one PNG, JPEG, WebP, GIF, BMP, TIFF or BPG file.
        max_pixels: width times height may not be more; checked from the header, before any pixel is decoded.
        background: sRGB color, 0 to 255 each, that is seen through transparent pixels.

    Raises:
        BadImage: no bytes, not an image, damaged or cut short; a part of a picture is never returned.
        UnsupportedFormat: an image or a document of another format.
        ImageTooLarge: more than `max_pixels`, or more memory needed than there is.
        ValueError: `background` is not a color.
    """
    if not all(0 <= level <= 255 for level in background):
        raise ValueError(f"background must be three levels from 0 to 255, not {background}")
    kind = identify(data)
    if kind == "PNG":
        check_png(data)
    elif kind == "JPEG":
        check_jpeg(data)
    elif kind == "TIFF":
        check_tiff(data, max_pixels)
    with _errors_explained(kind, max_pixels):
        if kind == "BPG":
            return _decode_bpg(data, max_pixels, background)
        image = Image.open(BytesIO(data), formats=(kind,))
        _check_size(image.width, image.height, max_pixels)
        return _decode_opened(image, kind, data, background)


@contextmanager
def _errors_explained(kind: str, max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises on a file into one of our errors, with the original as its cause."""
    try:
        yield
    except CodecError as error:  # of BPG, with its reason
        kind_of_error = ImageTooLarge if isinstance(error.__cause__, MemoryError) else BadImage
        raise kind_of_error(str(error)) from error
    except ColorCNNError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise ImageTooLarge(
            f"The {kind} image needs more memory than there is, or has more than {max_pixels:,} pixels. "
            "Send a smaller one."
        ) from error
    # On purpose all of them: on a malformed file Pillow's readers raise OSError, SyntaxError, ValueError, struct.error,
    # zlib.error, EOFError, KeyError, IndexError, TypeError, AttributeError, AssertionError, OverflowError and more.
    except Exception as error:
        raise BadImage(
            f"The {kind} file cannot be read: it is damaged, cut short or of a rare variant. "
            "Save it again, for example as PNG, and send the whole file."
        ) from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {width} x {height} pixels; at most {max_pixels:,} pixels are allowed. Send a smaller one."
        )


def _decode_opened(
    image: ImageFile.ImageFile, kind: str, data: bytes, background: tuple[int, int, int]
) -> DecodedImage:
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("first of several pages" if kind == "TIFF" else "first of several frames")
    drawn = check_before_loading(image, kind)
    turned_by_pillow = kind == "TIFF" and _orientation(image) != 1
    image.load()
    check_after_loading(image, kind, data)
    if turned_by_pillow or _orientation(image) != 1:
        notes.append(_TURNED)
    depth, png_color_type = (data[24], data[25]) if kind == "PNG" else (8, None)
    plain, key = find_transparency(eight_bit(image, depth, png_color_type), kind, depth, drawn)
    # The profile of the file: `plain` may be a new image, which has none.
    pixels, shown = _show(plain, key, image.info.get("icc_profile"), _orientation(image), background)
    return DecodedImage(pixels, kind, (*notes, *shown))


def _decode_bpg(data: bytes, max_pixels: int, background: tuple[int, int, int]) -> DecodedImage:
    header, _ = container.parse_header(data)
    _check_size(header.width, header.height, max_pixels)
    image = Image.fromarray(bpg.decode(data, max_pixels=max_pixels))
    if header.pixel_format is PixelFormat.GRAY:  # whose profile is for gray too
        image = image.convert("LA" if image.mode == "RGBA" else "L")
    notes = ["first of several frames"] if header.animation else []
    if header.alpha is Alpha.WHITE:
        notes.append("CMYK converted to sRGB without a profile")
    image.info |= {_INFO[each.tag]: each.data for each in header.extensions if each.tag in _INFO}
    orientation = _orientation(image)
    if orientation != 1:
        notes.append(_TURNED)
    pixels, shown = _show(image, None, image.info.get("icc_profile"), orientation, background)
    return DecodedImage(pixels, "BPG", (*notes, *shown))


def _show(
    image: Image.Image,
    key: ColorKey | None,
    profile: object,
    orientation: int,
    background: tuple[int, int, int],
) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """A loaded image of 8-bit samples as sRGB over the background, upright, and what there is to note of it."""
    to_srgb, color_note = conversion(image, profile)
    pixels = np.empty(_upright_shape(image, orientation), dtype=np.uint8)
    transparent = composite(image, key, to_srgb, background, into=_as_stored(pixels, orientation))
    notes = [color_note] if color_note else []
    if transparent:
        notes.append("alpha composited over #{:02x}{:02x}{:02x}".format(*background))
    return pixels, notes


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, where it is absent or nonsense."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a picture is not refused for what a camera or an editor scribbled beside it
        return 1
    return orientation if orientation in _TURNS else 1


def _upright_shape(image: Image.Image, orientation: int) -> tuple[int, int, int]:
    swapped = orientation in _TURNS and _TURNS[orientation][0]
    return (image.width, image.height, 3) if swapped else (image.height, image.width, 3)


def _as_stored(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Return a view of upright pixels in which rows and columns run as they do in the file."""
    swap, flip_rows, flip_columns = _TURNS.get(orientation, (False, False, False))
    stored = pixels[:, ::-1] if flip_columns else pixels
    stored = stored[::-1] if flip_rows else stored
    return stored.swapaxes(0, 1) if swap else stored
