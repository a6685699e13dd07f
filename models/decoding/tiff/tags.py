"""The numbers in TIFF directories that the reader knows."""

from enum import IntEnum


class Tag(IntEnum):
    """Numbers of fields."""

    SUBFILE_TYPE = 254
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    CHANNELS = 277
    STRIP_ROWS = 278
    STRIP_COUNTS = 279
    PLANAR = 284
    T4_OPTIONS = 292
    T6_OPTIONS = 293
    PREDICTOR = 317
    COLOR_MAP = 320
    TILE_WIDTH = 322
    TILE_ROWS = 323
    TILE_OFFSETS = 324
    TILE_COUNTS = 325
    SUB_DIRECTORIES = 330
    INK_SET = 332
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    YCBCR_COEFFICIENTS = 529
    YCBCR_SUBSAMPLING = 530
    YCBCR_POSITIONING = 531
    REFERENCE_BLACK_WHITE = 532
    ICC_PROFILE = 34675
    DNG_VERSION = 50706


class Kind(IntEnum):
    """Sample formats (section 19)."""

    UNSIGNED = 1
    SIGNED = 2
    FLOAT = 3
    UNDEFINED = 4


class Photometric(IntEnum):
    """Color spaces that are read."""

    WHITE_IS_ZERO = 0
    BLACK_IS_ZERO = 1
    RGB = 2
    PALETTE = 3
    CMYK = 5
    YCBCR = 6
    CIELAB = 8
    ICCLAB = 9

    @property
    def channels(self) -> int:
        """Number of channels without extra samples."""
        if self in (self.WHITE_IS_ZERO, self.BLACK_IS_ZERO, self.PALETTE):
            return 1
        return 4 if self is self.CMYK else 3


class Compression(IntEnum):
    """Compressions that are read."""

    NONE = 1
    CCITT = 2
    GROUP_3 = 3
    GROUP_4 = 4
    LZW = 5
    JPEG = 7
    DEFLATE = 8
    PACKBITS = 32773
    OLD_DEFLATE = 32946
    LZMA = 34925
    ZSTD = 50000
    WEBP = 50001
