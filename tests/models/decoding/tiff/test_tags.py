"""Numbers of TIFF directories, against the names of Pillow's table and of TIFF 6.0."""

import pytest
from PIL import TiffTags

from models.decoding.tiff.tags import Compression, Kind, Photometric, Tag

NAMES = {
    "SUBFILE_TYPE": "NewSubfileType",
    "WIDTH": "ImageWidth",
    "HEIGHT": "ImageLength",
    "BITS": "BitsPerSample",
    "COMPRESSION": "Compression",
    "PHOTOMETRIC": "PhotometricInterpretation",
    "FILL_ORDER": "FillOrder",
    "STRIP_OFFSETS": "StripOffsets",
    "ORIENTATION": "Orientation",
    "CHANNELS": "SamplesPerPixel",
    "STRIP_ROWS": "RowsPerStrip",
    "STRIP_COUNTS": "StripByteCounts",
    "PLANAR": "PlanarConfiguration",
    "T4_OPTIONS": "T4Options",
    "T6_OPTIONS": "T6Options",
    "PREDICTOR": "Predictor",
    "COLOR_MAP": "ColorMap",
    "TILE_WIDTH": "TileWidth",
    "TILE_ROWS": "TileLength",
    "TILE_OFFSETS": "TileOffsets",
    "TILE_COUNTS": "TileByteCounts",
    "SUB_DIRECTORIES": "SubIFDs",
    "INK_SET": "InkSet",
    "EXTRA_SAMPLES": "ExtraSamples",
    "SAMPLE_FORMAT": "SampleFormat",
    "JPEG_TABLES": "JPEGTables",
    "YCBCR_COEFFICIENTS": "YCbCrCoefficients",
    "YCBCR_SUBSAMPLING": "YCbCrSubSampling",
    "YCBCR_POSITIONING": "YCbCrPositioning",
    "REFERENCE_BLACK_WHITE": "ReferenceBlackWhite",
    "ICC_PROFILE": "ICCProfile",
    "DNG_VERSION": "DNGVersion",
}


@pytest.mark.parametrize("tag", Tag)
def test_a_tag_has_the_number_of_its_name(tag: Tag) -> None:
    assert TiffTags.lookup(tag).name == NAMES[tag.name]


def test_sample_formats_and_color_spaces_have_their_numbers() -> None:
    """TIFF 6.0, sections 19, 4 to 6, 16, 20 and 23; ICC.1 for ICCLAB."""
    assert {kind.name: kind.value for kind in Kind} == {"UNSIGNED": 1, "SIGNED": 2, "FLOAT": 3, "UNDEFINED": 4}
    assert {space.name: (space.value, space.channels) for space in Photometric} == {
        "WHITE_IS_ZERO": (0, 1),
        "BLACK_IS_ZERO": (1, 1),
        "RGB": (2, 3),
        "PALETTE": (3, 1),
        "CMYK": (5, 4),
        "YCBCR": (6, 3),
        "CIELAB": (8, 3),
        "ICCLAB": (9, 3),
    }


def test_compressions_have_the_numbers_of_libtiff() -> None:
    known = {"NONE": 1, "CCITT": 2, "GROUP_3": 3, "GROUP_4": 4, "LZW": 5, "JPEG": 7, "DEFLATE": 8, "PACKBITS": 32773}
    found = {compression.name: compression.value for compression in Compression}

    assert {name: found.get(name, number) for name, number in known.items()} == known
    assert set(found.values()) - set(known.values()) <= {32946, 34925, 50000, 50001}  # old Deflate, LZMA, Zstd, WebP
