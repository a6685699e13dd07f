"""Images as callers have them, turned into uploads: paths, bytes, files, PIL images, arrays."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from service.schemas.upload import UploadedFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

AnyImage: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[np.uint8]"
)
"""A path, the bytes of a file, a binary file, a PIL image, or (H, W, 3) or (H, W) uint8 sRGB pixels."""

_WRITTEN_BY_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_WITH_ALPHA = ("PA", "La", "RGBa")
_URLS = ("http:", "https:", "data:", "file:")


def upload_of(image: AnyImage, number: int = 1) -> UploadedFile:
    """Return the upload of an image; its name is that of the file or, without one, "image-<number>".

    Bytes and files are sent as they are. PIL images and arrays become PNG files; a PIL image keeps its color profile
    and its orientation.

    Raises:
        OSError: the file cannot be read.
        TypeError, ValueError: `image` is none of the accepted types, or an array of another shape or dtype.
    """
    name = f"image-{number}"
    if isinstance(image, bytes | bytearray | memoryview):
        return UploadedFile(bytes(image), name)
    if isinstance(image, str | os.PathLike):
        return _of_path(image)
    if _is_pil(image):
        return UploadedFile(_png(image), _name(getattr(image, "filename", ""), f"{name}.png"))
    if _is_array(image):
        return UploadedFile(_png_of_array(image), f"{name}.png")
    if hasattr(image, "read"):
        return _of_file(image, name)
    raise TypeError(
        f"an image is a path, bytes, a binary file, a PIL image or a uint8 array, not {type(image).__name__}"
    )


def uploads_of(images: AnyImage | Sequence[AnyImage]) -> tuple[UploadedFile, ...]:
    """Return the uploads of one image or of several, in their order; see `upload_of`."""
    several: Sequence[Any] = images if isinstance(images, list | tuple) else (images,)
    return tuple(upload_of(image, number) for number, image in enumerate(several, 1))


def _of_path(path: str | os.PathLike[str]) -> UploadedFile:
    text = os.fspath(path)
    if text.startswith(_URLS):
        raise ValueError(
            f"{text!r:.80} is a URL, which the service does not fetch; download the image and pass its bytes"
        )
    file = Path(text)
    return UploadedFile(file.read_bytes(), file.name.encode(errors="replace").decode())  # bytes that are no UTF-8


def _of_file(file: Any, name: str) -> UploadedFile:
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError("the file is open as text; open it with mode 'rb'")
    return UploadedFile(data, _name(getattr(file, "name", ""), name))


def _name(path: object, fallback: str) -> str:
    """Return the last part of the path of a file; a file without a path may have a number for its name."""
    return (Path(path).name if isinstance(path, str) else "") or fallback


def _is_pil(image: object) -> bool:
    """Return whether `image` is a PIL image; where nobody imported PIL, there is none."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(image, pil.Image)


def _is_array(image: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(image, numpy.ndarray)


def _png(image: Any) -> bytes:
    picture = image if image.mode in _WRITTEN_BY_PNG else image.convert("RGBA" if image.mode in _WITH_ALPHA else "RGB")
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1, exif=image.getexif())
    return file.getvalue()


def _png_of_array(pixels: Any) -> bytes:
    from PIL import Image

    if pixels.dtype != "uint8" or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ValueError(f"pixels must be (H, W, 3) or (H, W) uint8, not {pixels.shape} {pixels.dtype}")
    if not pixels.size:
        raise ValueError(f"pixels must not be empty, but have the shape {pixels.shape}")
    return _png(Image.fromarray(pixels))
