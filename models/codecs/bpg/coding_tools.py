"""The SPS fields that a BPG file keeps: how a picture is divided into blocks, and which coding tools it uses.

"High efficiency video coding", ITU-T H.265 (08/2021), also ISO/IEC 23008-2; clause numbers refer to this text. The
functions read and write the parts that an SPS and the hevc_header of a BPG file have in common, bit for bit.
"""

from dataclasses import astuple, dataclass

from models.codecs.bpg.bits import BitReader, BitWriter
from models.errors import CodecError


@dataclass(frozen=True)
class Pcm:
    """Storage of blocks of plain samples (clause 7.4.3.2.1).

    Attributes:
        luma_bits, chroma_bits: bits of a sample, 1 to 16.
        log2_min, log2_max: smallest and largest side of these blocks, as powers of two.
        loop_filter_off: whether these blocks stay unfiltered.
    """

    luma_bits: int
    chroma_bits: int
    log2_min: int
    log2_max: int
    loop_filter_off: bool


@dataclass(frozen=True)
class RangeExtension:
    """The flags of sps_range_extension (clause 7.3.2.2.2), in the order of the syntax."""

    transform_skip_rotation: bool
    transform_skip_context: bool
    implicit_rdpcm: bool
    explicit_rdpcm: bool
    extended_precision: bool
    intra_smoothing_disabled: bool
    high_precision_offsets: bool
    persistent_rice: bool
    cabac_bypass_alignment: bool


@dataclass(frozen=True)
class Tools:
    """The SPS fields that differ between encoders and affect an intra picture; checked when it is built.

    Attributes:
        log2_min_block, log2_max_block: sides of the smallest and largest coding block, as powers of two.
        log2_min_transform, log2_max_transform: sides of the smallest and largest transform.
        transform_depth: max_transform_hierarchy_depth_intra.
        sample_adaptive_offset, strong_intra_smoothing: whether these filters may be used.
        pcm: storage of blocks of plain samples; None where there are none.
        range_extension: None where the SPS has no extension.

    Raises:
        CodecError: H.265 does not allow the block sizes (clause 7.4.3.2.1).
    """

    log2_min_block: int
    log2_max_block: int
    log2_min_transform: int
    log2_max_transform: int
    transform_depth: int
    sample_adaptive_offset: bool
    strong_intra_smoothing: bool
    pcm: Pcm | None = None
    range_extension: RangeExtension | None = None

    def __post_init__(self) -> None:
        largest = min(self.log2_max_block, 5)  # limit on a transform and on a block of plain samples
        if not (
            3 <= self.log2_min_block <= self.log2_max_block <= 6
            and self.log2_max_block >= 4
            and 2 <= self.log2_min_transform <= self.log2_max_transform <= largest
            and self.log2_min_transform < self.log2_min_block
            and 0 <= self.transform_depth <= self.log2_max_block - self.log2_min_transform
            and (self.pcm is None or min(self.log2_min_block, 5) <= self.pcm.log2_min <= self.pcm.log2_max <= largest)
        ):
            raise CodecError("The BPG file is damaged: its header has block sizes that HEVC does not allow.")


def read_block_sizes(bits: BitReader) -> tuple[int, int, int, int]:
    """Read log2_min_luma_coding_block_size_minus3 and the next three; return the first four fields of Tools."""
    smallest = bits.ue() + 3
    largest = smallest + bits.ue()
    transform = bits.ue() + 2
    return smallest, largest, transform, transform + bits.ue()


def write_block_sizes(bits: BitWriter, tools: Tools) -> None:
    """Write the first four fields of Tools, the inverse of `read_block_sizes`."""
    bits.ue(tools.log2_min_block - 3)
    bits.ue(tools.log2_max_block - tools.log2_min_block)
    bits.ue(tools.log2_min_transform - 2)
    bits.ue(tools.log2_max_transform - tools.log2_min_transform)


def read_pcm(bits: BitReader) -> Pcm | None:
    """Read pcm_enabled_flag and the fields that depend on it."""
    if not bits.flag():
        return None
    luma_bits, chroma_bits = bits.u(4) + 1, bits.u(4) + 1
    smallest = bits.ue() + 3
    return Pcm(luma_bits, chroma_bits, smallest, smallest + bits.ue(), bits.flag())


def write_pcm(bits: BitWriter, pcm: Pcm | None) -> None:
    """Write pcm_enabled_flag and its fields, the inverse of `read_pcm`."""
    bits.flag(pcm is not None)
    if pcm is not None:
        bits.u(4, pcm.luma_bits - 1)
        bits.u(4, pcm.chroma_bits - 1)
        bits.ue(pcm.log2_min - 3)
        bits.ue(pcm.log2_max - pcm.log2_min)
        bits.flag(pcm.loop_filter_off)


def read_extensions(bits: BitReader) -> RangeExtension | None:
    """Read sps_extension_present_flag and its fields. Raise CodecError for any extension but the range extension."""
    if not bits.flag():
        return None
    present = bits.flag()
    if bits.u(7):
        raise CodecError("The BPG file uses an extension of HEVC that BPG does not allow.")
    flags = [bits.flag() for _ in range(9)] if present else [False] * 9
    return RangeExtension(*flags)


def write_extensions(bits: BitWriter, extension: RangeExtension | None) -> None:
    """Write sps_extension_present_flag and its fields, the inverse of `read_extensions`."""
    bits.flag(extension is not None)
    if extension is not None:
        bits.u(8, 0x80)
        for flag in astuple(extension):
            bits.flag(flag)
