"""Whether a file holds the whole picture: Pillow fills in zeros for what is missing, and takes a preview for it."""

from PIL import Image, ImageFile, TiffImagePlugin

from models.decoding.preflight import png_stream_is_short
from models.errors import BadImage, UnsupportedFormat

_TIFF_SUBFILE_TYPE, _TIFF_SUB_DIRECTORIES, _TIFF_DNG_VERSION = 254, 330, 50706


def check_before_loading(image: ImageFile.ImageFile, kind: str) -> tuple[int, int, int, int]:
    """Return the box of `image` that its file draws: left, upper, right, lower, in pixels. Only a GIF may draw less.

    Raises:
        BadImage: a part of the picture is missing, or the palette that its pixels refer to.
        UnsupportedFormat: a camera raw file.
    """
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


def check_after_loading(image: Image.Image, kind: str, data: bytes) -> None:
    """Raise BadImage for a PNG whose rows ran out: Pillow leaves the rest at zero and says nothing.

    Inflating a second time is only worth it where a row of zeros raises the suspicion. Interlaced rows are filled in
    any order, so there it always is.
    """
    if kind != "PNG":
        return
    last = image.crop((0, image.height - 1, *image.size))
    suspicious = image.info.get("interlace") or last.getbbox() is None
    if suspicious and png_stream_is_short(data):
        raise BadImage("The PNG file ends before its picture does. Save it again and send the whole file.")


def _refuse_camera_raw(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse the raw formats that are TIFFs whose first page is a preview of the size of a stamp."""
    tags = image.tag_v2
    is_preview = tags.get(_TIFF_SUBFILE_TYPE) == 1 and _TIFF_SUB_DIRECTORIES in tags
    if is_preview or _TIFF_DNG_VERSION in tags:
        raise UnsupportedFormat("This is a camera raw file, which is not accepted. Develop it and send a JPEG or PNG.")


def _layers(image: Image.Image) -> int:
    """Return how often the tiles of `image` cover it: once for each color channel in a TIFF that stores them apart."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.use_load_libtiff:
        return 1
    apart = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    return len(image.getbands()) if apart else 1
