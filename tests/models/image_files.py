"""Image files made in memory: by Pillow where it can write the case, by hand elsewhere."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.codecs import packed
from models.codecs.bpg.codec import Chroma, Coding, encode
from models.codecs.bpg.header import Extension, ExtensionTag
from models.decoding.decode import DecodedImage
from models.palette_image import PaletteImage
from models.rgb import Pixels

WHITE = [255, 255, 255]


def picture(height: int = 7, width: int = 11) -> Pixels:
    """(height, width, 3) uint8 of random colors, so that no place can be mistaken for another."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


def ramp() -> npt.NDArray[np.uint16]:
    """(256, 256) uint16 with every 16-bit level once."""
    return np.arange(65536, dtype=np.uint16).reshape(256, 256)


def solid(mode: str, color: int | tuple[int, ...], size: tuple[int, int] = (16, 16)) -> Image.Image:
    """An image of one color; its size is (width, height)."""
    return Image.new(mode, size, color)


def exif(orientation: int) -> Image.Exif:
    """EXIF data that hold an orientation only."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def tiff_of(metadata: Image.Exif) -> bytes:
    """Return EXIF data as a TIFF structure, without the prefix that JPEG puts in front."""
    return metadata.tobytes().removeprefix(b"Exif\0\0")


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of Pillow's format `kind`, as a lossless BPG file, or packed in at most 256 colors."""
    if kind == "PACKED":
        few = image.convert("RGB").quantize(256)
        palette = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
        return packed.encode(PaletteImage(np.asarray(few), palette))
    if kind == "BPG":
        return bpg_file(np.asarray(image.convert("RGB")))
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bpg_file(pixels: Pixels, chroma: Chroma = "444", **metadata: bytes) -> bytes:
    """A lossless BPG; chroma "gray" is for gray pixels. Metadata have the names of ExtensionTag."""
    coding = Coding(lossless=True, chroma=chroma, color_space="ycbcr" if chroma == "gray" else "rgb")
    return encode(pixels, coding, tuple(Extension(ExtensionTag[name], data) for name, data in metadata.items()))


def png_file(
    size: tuple[int, int], depth: int, color_type: int, rows: bytes, *chunks: tuple[bytes, bytes], interlace: int = 0
) -> bytes:
    """A PNG of the given scanlines, filter bytes included; `chunks` come before the image data."""
    header = struct.pack(">IIBBBBB", *size, depth, color_type, 0, 0, interlace)
    every = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in every
    )


def tiff_file(
    data: bytes, tags: Mapping[int, tuple[str, Sequence[int]]], *, order: str = "<", strips: Sequence[int] = (8,)
) -> bytes:
    """A TIFF of raw `data` from byte 8 on. Tags map to ("B", "H" or "I", values); `strips` are offsets."""
    every = {273: ("I", strips), 279: ("I", [len(data)] * len(strips)), **tags}
    start = 8 + len(data) + len(data) % 2
    outside = start + 2 + 12 * len(every) + 4
    directory, values = struct.pack(f"{order}H", len(every)), b""
    for tag, (code, numbers) in sorted(every.items()):
        packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        field = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}I", outside + len(values))
        directory += struct.pack(f"{order}HHI", tag, {"B": 1, "H": 3, "I": 4}[code], len(numbers)) + field
        values += packed if len(packed) > 4 else b""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", start) + data.ljust(start - 8, b"\0") + directory + bytes(4) + values


def tiff_tags(size: tuple[int, int], bits: Sequence[int], photometric: int) -> dict[int, tuple[str, Sequence[int]]]:
    """The tags of an uncompressed TIFF of this size, bits per sample of each channel, and photometric kind."""
    width, height = size
    return {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", bits),
        259: ("H", [1]),
        262: ("H", [photometric]),
        277: ("H", [len(bits)]),
    }


def only_color(decoded: DecodedImage) -> list[int]:
    """The color of an image of one color."""
    (color,) = np.unique(decoded.pixels.reshape(-1, 3), axis=0).tolist()
    return list(color)
