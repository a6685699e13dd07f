"""Checks that a file holds its whole picture. Pillow alone fills missing rows with zeros and raises no error."""

from PIL import Image, ImageFile

from models.decoding.bands import Box
from models.decoding.preflight import png_stream_is_short
from models.errors import BadImage


def check_before_loading(image: ImageFile.ImageFile, kind: str) -> Box:
    """Return the box of the canvas that the file draws. Only a GIF may draw less than the whole canvas.

    Raises:
        BadImage: a part of the picture or its palette is missing.
    """
    if image.mode == "P" and image.palette is None:
        raise BadImage(f"The {kind} file has no palette for its indices. Save it again, for example as PNG.")
    whole = (0, 0, *image.size)
    boxes = [tile.extents or whole for tile in image.tile] or [whole]  # a WebP has no tiles before it is loaded
    if kind == "GIF":
        return boxes[0]  # a first frame may be smaller than the canvas
    area = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
    if area < image.width * image.height:
        raise BadImage(f"A part of the picture is missing from the {kind} file. Save it again and send the whole file.")
    return whole


def check_png_rows(image: Image.Image, data: bytes) -> None:
    """Raise BadImage for a PNG with missing rows, which Pillow leaves at zero without an error.

    The check inflates the file a second time, so it runs only if the last row is zero. It always runs for an interlaced
    file, whose rows are stored in another order.
    """
    last = image.crop((0, image.height - 1, *image.size))
    suspicious = image.info.get("interlace") or last.getbbox() is None
    if suspicious and png_stream_is_short(data):
        raise BadImage("The PNG file ends before its picture does. Save it again and send the whole file.")
