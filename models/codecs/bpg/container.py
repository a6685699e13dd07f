"""The container of BPG: the header, the SPS fields in place of parameter sets, and the HEVC units.

Fabrice Bellard, "BPG Specification", as distributed with libbpg 0.9.8; clauses 3.1 and 3.2 define syntax and semantics.
"""

from dataclasses import dataclass, replace
from itertools import islice

from models.codecs.bpg import coding_tools, nal_units
from models.codecs.bpg.bits import BitReader, BitWriter, read_ue7, write_ue7
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.header import Alpha, BpgHeader, parse_header, serialize_header
from models.errors import CodecError

_MAX_NALS = 1 << 16  # some animations have thousands of pictures
_MAX_TOOLS = 32  # bytes of a hevc_header; the limits of HEVC leave no room for more


@dataclass(frozen=True)
class BpgFile:
    """A whole BPG file.

    Attributes:
        header: everything in front of the HEVC data.
        color: the SPS fields of the color pictures.
        alpha: the SPS fields of the second picture; None where `header.alpha` is NONE.
        nals: the HEVC units without VPS and SPS; units of the second picture have nuh_layer_id 1.

    Raises:
        ValueError: `alpha` and `header.alpha` do not agree.
    """

    header: BpgHeader
    color: Tools
    alpha: Tools | None
    nals: tuple[nal_units.Nal, ...]

    def __post_init__(self) -> None:
        if (self.alpha is None) != (self.header.alpha is Alpha.NONE):
            raise ValueError("the header and the SPS fields do not agree on the second picture")


def parse(data: bytes) -> BpgFile:
    """Parse a BPG file (heic_file, clause 3.1), and ignore any bytes behind picture_data_length.

    Raises:
        CodecError: `data` is not a whole BPG file. Damage inside the pictures raises only in `decode`.
    """
    header, at = parse_header(data)
    if header.data_length > len(data) - at:
        raise CodecError("The BPG file is cut short: its picture is longer than the file. Send the whole file.")
    if header.data_length:
        data = data[: at + header.data_length]
    alpha = None
    if header.alpha is not Alpha.NONE:
        alpha, at = parse_tools(data, at)
    color, at = parse_tools(data, at)
    units = nal_units.split(nal_units.START_CODE + data[at:])  # hevc_data, which omits the first start code
    nals = tuple(islice(units, _MAX_NALS + 1))
    if len(nals) > _MAX_NALS:
        raise CodecError("The BPG file has more HEVC units than any image needs.")
    return BpgFile(header, color, alpha, nals)


def serialize(file: BpgFile) -> bytes:
    """Return the bytes of a file, the inverse of `parse`, with picture_data_length, which reveals truncation."""
    tools = serialize_tools(file.alpha) if file.alpha else b""
    body = tools + serialize_tools(file.color) + nal_units.byte_stream(file.nals).removeprefix(nal_units.START_CODE)
    return serialize_header(replace(file.header, data_length=len(body))) + body


def parse_tools(data: bytes, at: int) -> tuple[Tools, int]:
    """Return the SPS fields in the hevc_header at byte `at` (clause 3.1), and the position behind it."""
    length, at = read_ue7(data, at)  # hevc_header_length
    if not length <= min(_MAX_TOOLS, len(data) - at):
        raise CodecError("The BPG file is damaged or cut short: its HEVC header does not fit.")
    bits = BitReader(data[at : at + length])
    blocks = coding_tools.read_block_sizes(bits)  # log2_min_luma_coding_block_size_minus3 and three more
    depth = bits.ue()  # max_transform_hierarchy_depth_intra
    sample_adaptive_offset = bits.flag()  # sample_adaptive_offset_enabled_flag
    pcm = coding_tools.read_pcm(bits)  # pcm_enabled_flag and five more
    smoothing = bits.flag()  # strong_intra_smoothing_enabled_flag
    extension = coding_tools.read_extensions(bits)  # sps_extension_present_flag and the extension
    if bits.left >= 8 or bits.u(bits.left):  # trailing_bits
        raise CodecError("The BPG file is damaged: its HEVC header has another length than it declares.")
    return Tools(*blocks, depth, sample_adaptive_offset, smoothing, pcm, extension), at + length


def serialize_tools(tools: Tools) -> bytes:
    """Return the bytes of a hevc_header, the inverse of `parse_tools`."""
    bits = BitWriter()
    coding_tools.write_block_sizes(bits, tools)
    bits.ue(tools.transform_depth)
    bits.flag(tools.sample_adaptive_offset)
    coding_tools.write_pcm(bits, tools.pcm)
    bits.flag(tools.strong_intra_smoothing)
    coding_tools.write_extensions(bits, tools.range_extension)
    return write_ue7(len(bits.padded())) + bits.padded()
