"""The bytes of an uploaded image to sRGB pixels, with the colours, the way up and the first frame that a viewer shows.

Pillow decodes; this module decides what its answer means. What Pillow leaves to its caller is done here: EXIF
orientation, ICC profiles, deep grey levels, transparent colours, and telling a whole picture from a part of one.

Pillow's own limit on pixels (`Image.MAX_IMAGE_PIXELS`: an error above 179 million) is left alone, for everyone else in
the process. It only ever comes second: the size is checked here before any pixel is decoded.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageFile, TiffImagePlugin
from PIL import WebPImagePlugin as WebPImagePlugin  # registers its reader, or Image.open would import every format's

from models.errors import BadImage, ColorCNNError, ImageTooLarge, UnsupportedFormat
from models.image_bytes import ACCEPTED_FORMATS, check_jpeg, check_tiff, identify, png_stream_is_short

__all__ = ["ACCEPTED_FORMATS", "MAX_PIXELS", "DecodedImage", "decode"]

MAX_PIXELS = 50_000_000
"""Pixels of the largest image that is decoded unless the caller says otherwise."""

# Pillow warns about damage that it steps over, with texts that vary with the file, so that Python's memory of warnings
# already given would grow with every upload. Silenced once, here, for Pillow's modules only: warnings.catch_warnings()
# around each call would swap state that all threads share.
for _category in (UserWarning, Image.DecompressionBombWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")

_BAND_PIXELS = 1 << 20
"""Colours are converted in bands of rows of so many pixels: a large image is in memory twice, not five times."""

_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I", "F"})  # Pillow's modes of one sample wider than 8 bits
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

_TIFF_PHOTOMETRIC, _TIFF_MIN_IS_WHITE = 262, 0
_TIFF_SUBFILE_TYPE, _TIFF_SUB_DIRECTORIES, _TIFF_DNG_VERSION = 254, 330, 50706

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

_ToSrgb = Callable[[Image.Image], Image.Image]


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
        data: the bytes of one PNG, JPEG, WebP, GIF, BMP or TIFF file.
        max_pixels: width times height may not be more; checked from the header, before any pixel is decoded.
        background: sRGB colour, 0 to 255 each, that is seen through transparent pixels.

    Raises:
        BadImage: no bytes, not an image, damaged or cut short; a part of a picture is never returned.
        UnsupportedFormat: an image or a document of another format.
        ImageTooLarge: more than `max_pixels`, or more memory needed than there is.
        ValueError: `background` is not a colour.
    """
    if not all(0 <= level <= 255 for level in background):
        raise ValueError(f"background must be three levels from 0 to 255, not {background}")
    kind = identify(data)
    if kind == "JPEG":
        check_jpeg(data)
    elif kind == "TIFF":
        check_tiff(data, max_pixels)
    with _pillow_errors_explained(kind, max_pixels):
        image = Image.open(BytesIO(data), formats=(kind,))
        _check_size(image, max_pixels)
        return _decode_opened(image, kind, data, background)


@contextmanager
def _pillow_errors_explained(kind: str, max_pixels: int) -> Iterator[None]:
    """Turn whatever Pillow raises on a file into one of our errors, with the original as its cause."""
    try:
        yield
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


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"The image has {image.width} x {image.height} pixels; at most {max_pixels:,} pixels are allowed. "
            "Send a smaller one."
        )


def _decode_opened(
    image: ImageFile.ImageFile, kind: str, data: bytes, background: tuple[int, int, int]
) -> DecodedImage:
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("first of several pages" if kind == "TIFF" else "first of several frames")
    drawn = _check_before_loading(image, kind)
    turned_by_pillow = kind == "TIFF" and _orientation(image) != 1
    image.load()
    _check_after_loading(image, kind, data)
    orientation = _orientation(image)
    if turned_by_pillow or orientation != 1:
        notes.append("EXIF orientation applied")
    plain, key = _plain(image, kind, data, drawn)
    to_srgb, color_note = _conversion(plain, image.info.get("icc_profile"))
    pixels = np.empty(_upright_shape(plain, orientation), dtype=np.uint8)
    transparent = _render(plain, key, to_srgb, background, into=_as_stored(pixels, orientation))
    if color_note:
        notes.append(color_note)
    if transparent:
        notes.append("alpha composited over #{:02x}{:02x}{:02x}".format(*background))
    return DecodedImage(pixels, kind, tuple(notes))


# Telling a whole picture from a part of one


def _check_before_loading(image: ImageFile.ImageFile, kind: str) -> tuple[int, int, int, int]:
    """Return the box of `image` that its file draws, refusing what is only a part of a picture or a preview of one."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _refuse_camera_raw(image)
    if image.mode == "P" and image.palette is None:
        raise BadImage(f"The {kind} file has no palette for its indices. Save it again, for example as PNG.")
    whole = (0, 0, *image.size)
    boxes = [tile.extents or whole for tile in image.tile] or [whole]  # the WebP reader has no tiles yet
    if kind == "GIF":
        return boxes[0]  # a first frame may be smaller than the canvas
    area = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
    if area < image.width * image.height * _layers(image):
        raise BadImage(f"A part of the picture is missing from the {kind} file. Save it again and send the whole file.")
    return whole


def _layers(image: Image.Image) -> int:
    """Return how often the tiles of `image` cover it: once for each colour channel in a TIFF that stores them apart."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.use_load_libtiff:
        return 1
    apart = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    return len(image.getbands()) if apart else 1


def _refuse_camera_raw(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse the raw formats that are TIFFs whose first page is a preview of the size of a stamp."""
    tags = image.tag_v2
    is_preview = tags.get(_TIFF_SUBFILE_TYPE) == 1 and _TIFF_SUB_DIRECTORIES in tags
    if is_preview or _TIFF_DNG_VERSION in tags:
        raise UnsupportedFormat("This is a camera raw file, which is not accepted. Develop it and send a JPEG or PNG.")


def _check_after_loading(image: Image.Image, kind: str, data: bytes) -> None:
    """Refuse a PNG whose rows ran out: Pillow leaves the rest at zero and says nothing.

    Inflating a second time is only worth it where a row of zeros raises the suspicion. Interlaced rows are filled in
    any order, so there it always is.
    """
    if kind != "PNG":
        return
    last = image.crop((0, image.height - 1, *image.size))
    suspicious = image.info.get("interlace") or last.getbbox() is None
    if suspicious and png_stream_is_short(data):
        raise BadImage("The PNG file ends before its picture does. Save it again and send the whole file.")


# The way up


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


# To eight bits a sample


def _plain(
    image: Image.Image, kind: str, data: bytes, drawn: tuple[int, int, int, int]
) -> tuple[Image.Image, tuple[int, ...] | None]:
    """Return the loaded image in a mode of 8-bit samples, and the colour that means transparent, if there is one."""
    depth, color_type = (data[24], data[25]) if kind == "PNG" else (8, None)
    if image.mode in _DEEP_MODES:
        return _eight_bit(image), None
    if (depth, color_type) == (16, 4):
        return image.convert("LA"), None  # Pillow gives RGBA with equal channels, which no grey profile would fit
    if kind == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        return image.convert("RGB"), None  # writers that leave the fourth byte at zero mean no transparency
    if drawn != (0, 0, *image.size):
        return _transparent_outside(image, drawn), None
    key = _transparent_color(image, depth)
    if image.mode != "P" or isinstance(image.info.get("transparency"), str):
        # Dealt with, or a text chunk of that name. Pillow would convert it along with the pixels, and fail on the text.
        image.info.pop("transparency", None)
    return image, key


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return an image of one deep sample as L, or as LA where one of its values means transparent.

    16-bit grey runs from 0 to 65535. Wider and floating samples have no agreed white, except floats from 0 to 1; others
    are stretched from their smallest to their largest value.
    """
    black, white = _level_range(image)
    grey = np.empty((image.height, image.width), dtype=np.uint8)
    alpha = np.full_like(grey, 255)
    key = image.info.get("transparency")
    for rows, band in _bands(image):
        values = np.asarray(band)
        levels = (values.astype(np.float64) - black) * (255 / (white - black))
        grey[rows] = np.rint(np.clip(np.nan_to_num(levels, nan=0.0), 0, 255))
        if isinstance(key, int):
            alpha[rows][values == key] = 0
    plain = Image.fromarray(grey)
    return Image.merge("LA", (plain, Image.fromarray(alpha))) if isinstance(key, int) else plain


def _level_range(image: Image.Image) -> tuple[float, float]:
    """Return the values of black and white of a deep image; black is the larger one where the file says so."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if image.mode in ("I", "F"):
        low, high = _finite_range(image)
        if image.mode == "F" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        high = high if high > low else low + 1
    else:
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
        low, high = 0.0, float((1 << bits[0]) - 1)  # 12-bit TIFFs come as I;16 too, not scaled up
    inverted = tags.get(_TIFF_PHOTOMETRIC) == _TIFF_MIN_IS_WHITE  # Pillow minds this up to 8 bits only
    return (high, low) if inverted else (low, high)


def _finite_range(image: Image.Image) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for _, band in _bands(image):
        values = np.asarray(band, dtype=np.float64)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)


def _transparent_outside(image: Image.Image, drawn: tuple[int, int, int, int]) -> Image.Image:
    """Return a frame as RGBA, transparent where nothing is drawn on the canvas; Pillow has palette entry 0 there."""
    mask = Image.new("L", image.size, 0)
    mask.paste(255, drawn)
    framed = image.convert("RGBA")
    framed.putalpha(ImageChops.darker(framed.getchannel("A"), mask))
    return framed


def _transparent_color(image: Image.Image, depth: int) -> tuple[int, ...] | None:
    """Return the grey level or RGB colour of a 1, L or RGB image that means transparent, on the scale of its pixels.

    Pillow hands on the number in the file, which counts in steps of the file's `depth` in bits.
    """
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple):
        return tuple(level >> 8 for level in key) if depth == 16 else key
    if image.mode in ("1", "L") and isinstance(key, int):
        return (key * 255 // ((1 << depth) - 1) if depth in (2, 4) else key,)
    return None


# To sRGB


def _conversion(image: Image.Image, profile: object) -> tuple[_ToSrgb, str]:
    """Return what turns colours of `image` (L, RGB or CMYK, without alpha) into sRGB, and the note on it, or ""."""
    mode = _color_mode(image)
    note = ""
    if profile:
        try:
            transform = _profile_transform(profile, mode)
        except Exception:  # lcms and Pillow object to a bad profile in many ways; the picture is still good
            note = "ICC profile ignored: damaged or made for other kinds of images"
        else:
            return (transform.apply, "ICC profile converted to sRGB") if transform else (_to_rgb, "")
    if mode == "CMYK":
        note = note or "CMYK converted to sRGB without a profile"
    return _to_rgb, note


def _to_rgb(colors: Image.Image) -> Image.Image:
    return _converted(colors, "RGB")


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _profile_transform(profile: object, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from an ICC profile to sRGB, or None when the profile is sRGB in all but name.

    Building it fails when the profile is damaged, or describes other colours than those of `mode`.

    Relative colorimetric with black point compensation: white stays white, black stays black, and colours that sRGB has
    do not move. A profile without the tables for it falls back to those it has (ICC.1, clause 8).
    """
    if not isinstance(profile, bytes):
        raise ValueError("a profile is bytes")
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether no colour of a lattice moves by more than the one level that rounding accounts for.

    Most images carry some edition of sRGB; for them this saves the time and that one level.
    """
    steps = np.arange(0, 256, 15 if mode == "RGB" else 1, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3) if mode == "RGB" else None
    colors = Image.fromarray(steps[np.newaxis] if cube is None else cube)
    before, after = (np.asarray(picture, dtype=np.int16) for picture in (_to_rgb(colors), transform.apply(colors)))
    return int(np.abs(after - before).max()) <= 1


def _render(
    image: Image.Image,
    key: tuple[int, ...] | None,
    to_srgb: _ToSrgb,
    background: tuple[int, int, int],
    *,
    into: npt.NDArray[np.uint8],
) -> bool:
    """Write the image as sRGB over `background` into (H, W, 3) uint8; return whether any background shows through."""
    transparent = False
    for rows, band in _bands(image):
        colors, alpha = _split(band, key)
        shown = to_srgb(colors)
        if alpha is not None and np.asarray(alpha).min() < 255:
            canvas = Image.new("RGB", band.size, background)
            canvas.paste(shown, mask=alpha)  # (alpha * shown + (255 - alpha) * background) / 255, correctly rounded
            shown, transparent = canvas, True
        into[rows] = np.asarray(shown)
    return transparent


def _split(band: Image.Image, key: tuple[int, ...] | None) -> tuple[Image.Image, Image.Image | None]:
    """Return a band's colours (L, RGB or CMYK) and its alpha (L), None where it has none."""
    if key is not None:
        colors = _converted(band, _color_mode(band))
        levels = np.asarray(colors).reshape(band.height, band.width, -1)
        opaque = (levels != key).any(axis=-1)
        return colors, Image.fromarray(np.where(opaque, 255, 0).astype(np.uint8))
    if not _has_alpha(band):
        return _converted(band, _color_mode(band)), None
    layered = band.convert("LA" if band.mode in ("LA", "La") else "RGBA")
    return layered.convert(_color_mode(band)), layered.getchannel("A")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in _ALPHA_MODES or (image.mode == "P" and "transparency" in image.info)


def _color_mode(image: Image.Image) -> str:
    """Return L, CMYK or RGB: the mode of the colours of `image` once palette, alpha and rarer spaces are resolved."""
    if image.mode in ("1", "L", "LA", "La"):
        return "L"
    return "CMYK" if image.mode == "CMYK" else "RGB"


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield bands of rows that together are the image, each with where its rows belong."""
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))
