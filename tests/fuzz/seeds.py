"""Seed files of the mutations: small and valid, of every format and storage of pixels."""

import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from PIL import Image, PngImagePlugin

from models.codecs import bpg, packed
from models.palette_image import PaletteImage
from tests.models.codecs.bpg.reference import named
from tests.models.icc_profiles import rgb_profile
from tests.models.image_files import bpg_file, encoded, exif, picture, png_file, tiff_file, tiff_tags
from tests.models.tiff_files import (
    BLACK_IS_ZERO,
    CIELAB,
    CMYK,
    DEFLATE,
    FLOAT,
    ICCLAB,
    INT,
    LZW,
    PACKBITS,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    Layout,
    write_tiff,
)

SIDE = 32
_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {_GRAY: 1, _RGB: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _RGB_ALPHA: 4}
_DEPTHS = {_GRAY: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8), _RGB: (8, 16), _GRAY_ALPHA: (8, 16), _RGB_ALPHA: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@cache
def seeds() -> Mapping[str, bytes]:
    """Return the seed files by name; the first word of a name is the format."""
    photo = Image.fromarray(picture(SIDE, SIDE))
    return (
        _pngs(photo) | _jpegs(photo) | _webps(photo) | _others(photo) | _tiffs(photo) | _layouts() | _bpgs() | _packed()
    )


@cache
def seed_names() -> Mapping[str, Sequence[str]]:
    """Return the names of the seed files by format."""
    formats = dict.fromkeys(name.split()[0] for name in seeds())
    return {each: [name for name in seeds() if name.split()[0] == each] for each in formats}


def _pngs(photo: Image.Image) -> dict[str, bytes]:
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "x" * 200, zip=True)
    text.add_itxt("Comment", "é" * 50, "fr", "Comment", zip=True)
    return {
        **{
            f"PNG type {kind}, {depth} bit{', interlaced' * interlaced}": _png(kind, depth, interlaced)
            for kind, depths in _DEPTHS.items()
            for depth in depths
            for interlaced in (False, True)
        },
        "PNG with text, profile and EXIF": encoded(photo, "PNG", pnginfo=text, icc_profile=rgb_profile(), exif=exif(6)),
        "PNG gamma, chromaticities, code points": _png_beside(
            (b"gAMA", struct.pack(">I", 100_000)),
            (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
            (b"cICP", bytes([9, 16, 0, 1])),
        ),
        "PNG of HLG with its light": _png_beside(
            (b"cICP", bytes([9, 18, 0, 1])),
            (b"cLLI", struct.pack(">II", 40_000_000, 4_000_000)),
            (b"mDCV", bytes(16) + struct.pack(">II", 10_000_000, 500)),
        ),
        **{f"PNG with a damaged {kind.decode()}": _png_beside((kind, content)) for kind, content in _DAMAGED.items()},
        "PNG animated behind its image": _hidden_image(),
        "PNG color key of 16 bits": png_file((1, 1), 16, _RGB, bytes(7), (b"tRNS", bytes(6))),
        "PNG animated": encoded(photo, "PNG", save_all=True, append_images=[photo.rotate(90)]),
    }


def _png(kind: int, depth: int, interlaced: bool) -> bytes:
    palette = [(b"PLTE", random.Random(0).randbytes(3 << depth)), (b"tRNS", b"\0\x80")] if kind == _PALETTE else []
    bits = depth * _SAMPLES[kind]
    rows = b"".join(_rows(*each, bits) for each in (_ADAM7 if interlaced else [(0, 0, 1, 1)]))
    return png_file((SIDE, SIDE), depth, kind, rows, *palette, interlace=int(interlaced))


def _png_beside(*chunks: tuple[bytes, bytes]) -> bytes:
    return png_file((SIDE, SIDE), 8, _RGB, _rows(0, 0, 1, 1, 24), *chunks)


_DAMAGED = {
    b"iCCP": b"name\0\1damage",
    b"zTXt": b"name\0\7",
    b"gAMA": b"\0",
    b"cHRM": bytes(31),
    b"tRNS": bytes(3),
    b"pHYs": b"",
    b"sRGB": b"\x09",
    b"acTL": bytes(8),
    b"tIME": bytes(6),
    b"eXIf": b"MM\0*",
    b"cICP": bytes(4),
}


def _hidden_image() -> bytes:
    """An animation whose first frame is not the image."""
    data = zlib.compress(bytes(8))  # two rows of one pixel
    frames = [
        (b"fcTL", struct.pack(">5IHHBB", 0, 1, 2, 1, 0, 1, 1, 0, 0)),
        (b"fdAT", struct.pack(">I", 1) + data[:5]),
        (b"fdAT", struct.pack(">I", 2) + data[5:]),
        (b"fcTL", struct.pack(">5IHHBB", 3, 1, 1, 0, 0, 1, 1, 1, 1)),
        (b"fdAT", struct.pack(">I", 4) + zlib.compress(bytes(4))),
    ]
    still = _png_beside((b"acTL", struct.pack(">II", 2, 0)))
    end = still.index(b"IEND") - 4
    coded = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in frames
    ]
    return still[:end] + b"".join(coded) + still[end:]


def _rows(left: int, top: int, step_x: int, step_y: int, bits: int) -> bytes:
    width, height = -(-(SIDE - left) // step_x), -(-(SIDE - top) // step_y)
    noise = random.Random(width)
    return b"".join(bytes([row % 5]) + noise.randbytes(-(-width * bits // 8)) for row in range(height))


def _jpegs(photo: Image.Image) -> dict[str, bytes]:
    return {
        "JPEG": encoded(photo, "JPEG"),
        "JPEG 444, profile, EXIF": encoded(photo, "JPEG", subsampling=0, icc_profile=rgb_profile(), exif=exif(6)),
        "JPEG progressive": encoded(photo, "JPEG", progressive=True),
        "JPEG with restarts": encoded(photo, "JPEG", restart_marker_blocks=1),
        "JPEG gray": encoded(photo.convert("L"), "JPEG"),
        "JPEG CMYK": encoded(photo.convert("CMYK"), "JPEG"),
        "JPEG CMYK of Adobe": encoded(photo.convert("CMYK"), "JPEG", quality=90, icc_profile=rgb_profile()),
        "JPEG with a short segment": b"\xff\xd8\xff\xe0\0\7JFIF\0" + encoded(photo, "JPEG")[20:],
        "JPEG without its end": encoded(photo, "JPEG")[:-2],
        "JPEG of two pictures": encoded(photo, "MPO", save_all=True, append_images=[photo]),
    }


def _webps(photo: Image.Image) -> dict[str, bytes]:
    alpha = photo.copy()
    alpha.putalpha(photo.convert("L"))
    return {
        "WEBP": encoded(photo, "WEBP", exif=exif(3), icc_profile=rgb_profile()),
        "WEBP lossless": encoded(photo, "WEBP", lossless=True),
        "WEBP alpha": encoded(alpha, "WEBP"),
        "WEBP animated": encoded(alpha, "WEBP", save_all=True, append_images=[alpha.rotate(90)]),
    }


def _others(photo: Image.Image) -> dict[str, bytes]:
    return {
        "GIF": encoded(photo, "GIF"),
        "GIF transparent": encoded(photo.quantize(7), "GIF", transparency=3, interlace=0),
        "GIF animated": encoded(photo, "GIF", save_all=True, append_images=[photo.rotate(90), photo]),
        "BMP": encoded(photo, "BMP"),
        "BMP palette": encoded(photo.quantize(200), "BMP"),
        "BMP 1 bit": encoded(photo.convert("1"), "BMP"),
        "BMP 4444": _bmp_of_fields(0xF00, 0xF0, 0xF, 0xF000),
        "BMP 2 bits": _bmp_of_indices(2, 40),
        "BMP of OS/2": _bmp_of_indices(8, 16),
        "BMP alpha": encoded(photo.convert("RGBA"), "BMP"),
    }


def _tiffs(photo: Image.Image) -> dict[str, bytes]:
    compressions = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")
    faxes = ("tiff_ccitt", "group3", "group4")
    planes = picture(SIDE, SIDE).transpose(2, 0, 1).tobytes()
    starts: Sequence[int] = [8 + SIDE * SIDE * index for index in range(3)]
    apart = tiff_tags((SIDE, SIDE), [8, 8, 8], 2) | {284: ("H", [2]), 278: ("I", [SIDE])}
    return {
        **{f"TIFF {name}": encoded(photo, "TIFF", compression=name) for name in compressions},
        **{f"TIFF {name}": encoded(photo.convert("1"), "TIFF", compression=name) for name in faxes},
        **{f"TIFF {mode}": encoded(photo.convert(mode), "TIFF") for mode in ("L", "I;16", "F", "CMYK", "LAB", "RGBA")},
        "TIFF pages": encoded(photo, "TIFF", save_all=True, append_images=[photo], exif=exif(8)),
        "TIFF of WebP": _webp_tiff(photo),
        "TIFF planes, big-endian": tiff_file(planes, apart, order=">", strips=starts),
    }


def _webp_tiff(photo: Image.Image) -> bytes:
    strip = encoded(photo, "WEBP", lossless=True)
    tags = tiff_tags((SIDE, SIDE), [8, 8, 8], 2) | {259: ("H", [50001])}
    return tiff_file(strip, tags)


def _bmp_of_fields(*masks: int) -> bytes:
    pixels = random.Random(1).randbytes(2 * SIDE * SIDE)
    header = struct.pack("<IiiHHIIiiII4I", 56, SIDE, SIDE, 1, 16, 3, len(pixels), 0, 0, 0, 0, *masks)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


def _bmp_of_indices(bits: int, size: int) -> bytes:
    """A BMP with a header of `size` bytes and gray, as OS/2 and Windows CE write it."""
    table = b"".join(bytes([level * 255 // ((1 << bits) - 1)] * 3 + [0]) for level in range(1 << bits))
    header = struct.pack("<IiiHHIIiiII", size, SIDE, SIDE, 1, bits, 0, 0, 0, 0, 0, 0)[:size]
    offset = 14 + size + len(table)
    pixels = random.Random(2).randbytes(SIDE * SIDE * bits // 8)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + table + pixels


def _layouts() -> dict[str, bytes]:
    """TIFF files of samples that Pillow does not write."""
    channels = {BLACK_IS_ZERO: 1, WHITE_IS_ZERO: 1, PALETTE: 1, RGB: 3, CMYK: 4, CIELAB: 3, ICCLAB: 3}
    layouts = {
        "12 bits": Layout(bits=12),
        "16 bits in planes": Layout(bits=16, planar=2, compression=LZW),
        "32 bits, big-endian BigTIFF": Layout(bits=32, order=">", big=True),
        "floats in tiles": Layout(bits=32, kind=FLOAT, tile=16, compression=DEFLATE, predictor=3),
        "premultiplied alpha": Layout(bits=16, extra=(1,), compression=DEFLATE, predictor=2),
        "gray and alpha in planes": Layout(bits=16, photometric=BLACK_IS_ZERO, extra=(2,), planar=2),
        "CMYK and alpha": Layout(photometric=CMYK, extra=(2,), compression=PACKBITS),
        "Lab of 16 bits": Layout(bits=16, photometric=CIELAB),
        "signed samples of 32 bits": Layout(bits=32, kind=INT, compression=DEFLATE, predictor=2, order=">"),
        "palette of 10 bits": Layout(
            bits=10, photometric=PALETTE, tags={320: ("H", [21 * level for level in range(3 << 10)])}
        ),
        "white is zero in 4 bits": Layout(bits=4, photometric=WHITE_IS_ZERO, low_bit_first=True, compression=LZW),
        "ICC Lab in planes": Layout(photometric=ICCLAB, planar=2, tile=16, big=True),
        "bits in tiles": Layout(bits=1, photometric=BLACK_IS_ZERO, tile=16),
    }
    return {
        f"TIFF {name}": write_tiff(_samples(layout, channels[layout.photometric] + len(layout.extra)), layout)
        for name, layout in layouts.items()
    }


def _samples(layout: Layout, channels: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.int64]]:
    most = 1 if layout.kind == FLOAT else (1 << layout.bits) - 1
    return np.random.default_rng(layout.bits).integers(0, most, (SIDE, SIDE, channels), endpoint=True)


def _bpgs() -> dict[str, bytes]:
    pixels = picture(SIDE, SIDE)
    return {
        "BPG lossless": bpg_file(pixels),
        "BPG gray": bpg_file(np.stack([pixels[..., 0]] * 3, axis=-1), "gray"),
        **{f"BPG {chroma}": bpg.encode(pixels, chroma=chroma) for chroma in ("420", "422", "444")},
        "BPG alpha": named("rgba_40x40_x265_lossless").data,
        "BPG animated": named("anim_40x40_x265").data,
        "BPG two colors": named("pal2_32x32_x265_444").data,
    }


def _packed() -> dict[str, bytes]:
    gray = picture(SIDE, SIDE)[..., 0]

    def image(colors: int, alpha: int = 255) -> PaletteImage:
        levels = np.linspace(0, 255, colors).astype(np.uint8)
        return PaletteImage(
            gray // -(-256 // colors), np.stack([levels] * 3, axis=-1), np.full(colors, alpha, np.uint8)
        )

    return {
        "PACKED modeled": packed.encode(image(4)),
        "PACKED modeled, alpha": packed.encode(image(2, 9)),
        "PACKED deflated": packed.encode(image(16), effort="fast"),
        "PACKED deflated, 8 bit": packed.encode(image(200)),
    }
