"""Decoding of an uploaded file to sRGB pixels: the first frame, upright, with the colors that a viewer shows.

`decode` runs these steps in order, each a function of a module in this folder:

    preflight     recognize the format; reject structures that are built to exhaust a decoder
    decode        limit the size, before any pixel is decoded
    completeness  reject a file that holds only a part of its picture
    bit_depth     convert samples to eight bits
    alpha         separate colors from alpha
    icc           convert colors to sRGB
    alpha         composite over the background
    orientation   turn the image upright

Pillow decodes all formats but three. models/codecs decodes BPG and packed images, and models/decoding/tiff reads the
samples of TIFF. These reject incomplete files and return eight bits.

The steps from `alpha` on are in `showing`. They work on bands of rows, so that a large image is in memory twice: as
stored and as returned.

Pillow's own limit on pixels (`Image.MAX_IMAGE_PIXELS`: an error above 179 million) stays as it is for the rest of the
process. It never takes effect first, because `decode` checks the size before Pillow decodes any pixel.
"""

import ctypes
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO

from PIL import Image, _imaging
from PIL import WebPImagePlugin as WebPImagePlugin  # registers WebP; otherwise Image.open imports every plugin

from models.codecs import bpg, packed
from models.codecs.bpg.header import Alpha, ExtensionTag, PixelFormat, parse_header
from models.decoding.alpha import Color, on_canvas, pop_color_key, with_intended_alpha
from models.decoding.bit_depth import eight_bit
from models.decoding.bmp import bmp_size, check_compression, for_pillow, load_bit_fields, read_bit_fields
from models.decoding.color_key import deep_key_alpha, has_deep_color_key
from models.decoding.completeness import check_before_loading, check_png_rows
from models.decoding.icc import CMYK_NOTE
from models.decoding.jpeg import check_kind, check_rows, with_end, without_short_segments
from models.decoding.orientation import UPRIGHT, exif_orientation, read_orientation, valid_orientation
from models.decoding.plain_png import read_plain_png
from models.decoding.png import read_png
from models.decoding.preflight import ACCEPTED_FORMATS, check_structure, identify
from models.decoding.showing import Layer, StoredImage, show
from models.decoding.tiff.reader import read_tiff
from models.errors import BadImage, CodecError, ColorCNNError, ImageTooLarge
from models.rgb import Pixels

__all__ = ["ACCEPTED_FORMATS", "MAX_PIXELS", "DecodedImage", "decode"]

MAX_PIXELS = 50_000_000
"""Default limit on the pixels of an image."""

# Pillow warns about damage that it tolerates. Its texts vary with the file, so Python's registry of warnings would grow
# with every upload. The filters apply to Pillow's modules only, once: warnings.catch_warnings() around each call would
# change state that all threads share.
for _category in (UserWarning, Image.DecompressionBombWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")
for _library in ("PIL", "pyvips"):  # log defects of files, which are not errors of the service
    logging.getLogger(_library).setLevel(logging.CRITICAL)
with suppress(AttributeError, OSError):  # libtiff would write a line to stderr for each damaged row of a fax
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

_BPG_METADATA: Mapping[int, str] = {ExtensionTag.EXIF: "exif", ExtensionTag.ICC: "icc_profile"}
"""Pillow's names of the metadata that a BPG file holds as extensions."""

_FIRST_FRAME = "first of several frames"
_FIRST_PAGE = "first of several pages"
_TURNED = "EXIF orientation applied"


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as a viewer shows it.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, upright, contiguous.
        format: the format of the file, one of ACCEPTED_FORMATS.
        notes: one short ASCII phrase for each conversion or omission; empty for an ordinary image. None mentions alpha
            where it was asked for.
        layer: the same image before it was composited over the background; None where it is opaque, and where alpha was
            not asked for.
    """

    pixels: Pixels
    format: str
    notes: tuple[str, ...] = ()
    layer: Layer | None = None


def decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS, background: Color = (255, 255, 255), keep_alpha: bool = False
) -> DecodedImage:
    """Decode an uploaded image to upright sRGB pixels.

    An animation yields its first frame, a document of several pages its first page. Safe to call from several threads.

    Args:
        data: the bytes of one PNG, JPEG, WebP, GIF, BMP, TIFF, BPG or packed file.
        max_pixels: limit on width times height; checked from the header, before any pixel is decoded.
        background: sRGB color, 0 to 255 each, shown behind transparent pixels.
        keep_alpha: whether the result also has the `layer` of an image with transparent pixels.

    Raises:
        BadImage: the bytes are empty, not an image, damaged or cut short. A part of a picture is never returned.
        UnsupportedFormat: the bytes are an image or a document of another format, or a rare TIFF.
        ImageTooLarge: the image has more than `max_pixels`, or needs more memory than is available.
        ValueError: `background` is not a color.
    """
    if not all(0 <= level <= 255 for level in background):
        raise ValueError(f"background must be three levels from 0 to 255, not {background}")
    plain = read_plain_png(data, max_pixels)
    if plain is not None:
        return DecodedImage(plain, "PNG")
    kind = identify(data)
    check_structure(data, kind)
    load = _LOADERS.get(kind, partial(_load, kind=kind))
    with _errors_explained(kind, max_pixels):
        stored = load(data, max_pixels=max_pixels)
        pixels, layer, notes = show(stored, background, keep_alpha=keep_alpha)
    return DecodedImage(pixels, kind, (*stored.notes, *notes), layer)


@contextmanager
def _errors_explained(kind: str, max_pixels: int) -> Iterator[None]:
    """Convert any exception of a decoder to an error of models/errors.py, with the original as its cause."""
    try:
        yield
    except CodecError as error:  # from the BPG decoder, with its reason
        kind_of_error = ImageTooLarge if isinstance(error.__cause__, MemoryError) else BadImage
        raise kind_of_error(str(error)) from error
    except ColorCNNError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise ImageTooLarge(
            f"The {kind} image needs more memory than is available, or has more than {max_pixels:,} pixels. "
            "Send a smaller one."
        ) from error
    # Deliberately broad: on a malformed file Pillow raises OSError, SyntaxError, ValueError, struct.error, zlib.error,
    # EOFError, KeyError, IndexError, TypeError, AttributeError, AssertionError, OverflowError and more.
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


def _load(data: bytes, *, kind: str, max_pixels: int) -> StoredImage:
    """Load a file with Pillow: limit the size, require the whole picture, and check its completeness."""
    opened = Image.open(BytesIO(data), formats=(kind,))
    _check_size(opened.width, opened.height, max_pixels)
    notes = [_FIRST_FRAME] if getattr(opened, "is_animated", False) else []
    drawn = check_before_loading(opened, kind)
    opened.load()
    orientation = read_orientation(opened)
    if orientation != UPRIGHT:
        notes.append(_TURNED)
    image = with_intended_alpha(opened, kind, drawn)
    profile = opened.info.get("icc_profile")  # of `opened`, because `image` may be a new one without metadata
    return StoredImage(image, None, None, profile, orientation, tuple(notes))


def _load_png(data: bytes, *, max_pixels: int) -> StoredImage:
    """Load a PNG file: its picture with Pillow, and what stands beside the picture from its chunks."""
    png = read_png(data, lambda width, height: _check_size(width, height, max_pixels))
    opened = Image.open(BytesIO(png.plain), formats=("PNG",))
    check_before_loading(opened, "PNG")
    opened.load()
    check_png_rows(opened, png.plain)
    orientation = exif_orientation(png.exif)
    notes = [*([_FIRST_FRAME] if png.is_animated else []), *([_TURNED] if orientation != UPRIGHT else []), *png.notes]
    deep_key = has_deep_color_key(opened, png.depth)
    image = eight_bit(opened, png.depth, png.color_type)
    key = pop_color_key(image, png.depth)
    alpha = deep_key_alpha(png.plain) if deep_key else None
    if png.drawn != (0, 0, png.width, png.height):
        image, alpha, key = on_canvas(image, alpha, key, (png.width, png.height), png.drawn), None, None
    return StoredImage(
        image, alpha, None if deep_key else key, png.profile, orientation, tuple(notes), png.profile_source
    )


def _load_jpeg(data: bytes, *, max_pixels: int) -> StoredImage:
    """Load a JPEG file with Pillow, also where a marker beside its picture is damaged or missing."""
    check_kind(data)
    whole, skipped = without_short_segments(data)
    notes = [f"damaged JPEG segments skipped: {', '.join(skipped)}"] if skipped else []
    try:
        stored = _load(whole, kind="JPEG", max_pixels=max_pixels)
    except OSError:
        ended = with_end(whole)
        if ended is None:
            raise
        stored = _load(ended, kind="JPEG", max_pixels=max_pixels)
        notes.append("end marker of the JPEG missing")
    else:
        check_rows(whole, stored.image)
    return replace(stored, notes=(*stored.notes, *notes))


def _load_bmp(data: bytes, *, max_pixels: int) -> StoredImage:
    """Load a BMP file, with Pillow unless its pixels are bit fields."""
    check_compression(data)
    fields = read_bit_fields(data)
    if fields is None:
        _check_size(*bmp_size(data), max_pixels)
        return _load(for_pillow(data), kind="BMP", max_pixels=max_pixels)
    _check_size(fields.width, fields.height, max_pixels)
    image = load_bit_fields(data, fields)
    return StoredImage(with_intended_alpha(image, "BMP", (0, 0, *image.size)), None, None, None, UPRIGHT, ())


def _load_tiff(data: bytes, *, max_pixels: int) -> StoredImage:
    """Load the first page of a TIFF file. Its reader requires the whole picture and returns eight bits."""
    page = read_tiff(data, max_pixels)
    notes = [_FIRST_PAGE] if page.has_more_pages else []
    orientation = valid_orientation(page.orientation)
    if orientation != UPRIGHT:
        notes.append(_TURNED)
    return StoredImage(page.image, page.alpha, None, page.profile, orientation, (*notes, *page.notes))


def _load_bpg(data: bytes, *, max_pixels: int) -> StoredImage:
    """Load a BPG file. Its decoder requires the whole picture and returns eight bits."""
    header, _ = parse_header(data)
    _check_size(header.width, header.height, max_pixels)
    image = Image.fromarray(bpg.decode(data, max_pixels=max_pixels))
    if header.pixel_format is PixelFormat.GRAY:  # an ICC profile of a gray file describes gray
        image = image.convert("LA" if image.mode == "RGBA" else "L")
    image.info |= {_BPG_METADATA[each.tag]: each.data for each in header.extensions if each.tag in _BPG_METADATA}
    orientation = read_orientation(image)
    notes = [_FIRST_FRAME] * header.animation + [CMYK_NOTE] * (header.alpha is Alpha.WHITE)
    if orientation != UPRIGHT:
        notes.append(_TURNED)
    return StoredImage(image, None, None, image.info.get("icc_profile"), orientation, tuple(notes))


def _load_packed(data: bytes, *, max_pixels: int) -> StoredImage:
    """Load a packed image, whose decoder checks the whole file."""
    header = packed.Header.parse(data)
    _check_size(header.width, header.height, max_pixels)
    image = packed.decode(data, max_pixels=max_pixels)
    alpha = None if image.alpha is None else Image.fromarray(image.render_alpha())
    return StoredImage(Image.fromarray(image.render()), alpha, None, None, UPRIGHT, ())


_LOADERS = {
    "PNG": _load_png,
    "JPEG": _load_jpeg,
    "BPG": _load_bpg,
    "TIFF": _load_tiff,
    "BMP": _load_bmp,
    "PACKED": _load_packed,
}
"""Loaders by format; Pillow loads the others."""
