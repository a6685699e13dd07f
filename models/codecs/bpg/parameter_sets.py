"""The parameter sets of HEVC: parsing the SPS of an encoder, and writing the sets that a BPG decoder assumes.

"High efficiency video coding", ITU-T H.265 (08/2021), also ISO/IEC 23008-2; clause numbers refer to this text.
"""

from dataclasses import dataclass

from models.codecs.bpg.bits import BitReader, BitWriter
from models.codecs.bpg.coding_tools import (
    Tools,
    read_block_sizes,
    read_extensions,
    read_pcm,
    write_block_sizes,
    write_extensions,
    write_pcm,
)
from models.codecs.bpg.nal_units import Nal, NalType, escape, unescape
from models.errors import CodecError


@dataclass(frozen=True)
class Shape:
    """Size and sample format of a coded picture.

    Attributes:
        chroma_format: chroma_format_idc: 0 for gray, 1 for 4:2:0, 2 for 4:2:2, 3 for 4:4:4.
        width, height: luma samples, multiples of the smallest coding block.
        bit_depth: bits of a luma or chroma sample.
    """

    chroma_format: int
    width: int
    height: int
    bit_depth: int


def parse_sps(nal: Nal) -> tuple[Shape, Tools]:
    """Parse a sequence parameter set (clause 7.3.2.2) that a BPG file can represent.

    BPG omits fields without effect on an intra picture: the profile, the size of the picture buffer, and everything
    that only P and B slices use. These may have any value.

    Raises:
        CodecError: an omitted field that affects an intra picture differs from the value that a BPG decoder assumes,
            which is the value in `write_sps`.
    """
    bits = BitReader(unescape(nal.data[2:]))
    _expect(bits.u(4), 0, "sps_video_parameter_set_id")
    _expect(bits.u(3), 0, "sps_max_sub_layers_minus1")
    bits.u(1 + 88 + 8)  # sps_temporal_id_nesting_flag, general profile and level (clause 7.3.3)
    _expect(bits.ue(), 0, "sps_seq_parameter_set_id")
    chroma_format = bits.ue()
    if chroma_format == 3:
        _expect(bits.u(1), 0, "separate_colour_plane_flag")
    width, height = bits.ue(), bits.ue()
    _expect(bits.u(1), 0, "conformance_window_flag")
    bit_depth = bits.ue() + 8
    _expect(bits.ue() + 8, bit_depth, "bit_depth_chroma_minus8")
    bits.ue()  # log2_max_pic_order_cnt_lsb_minus4
    bits.u(1)  # sps_sub_layer_ordering_info_present_flag
    for _ in range(3):  # size of the picture buffer, reordering, latency
        bits.ue()
    tools = _parse_tools(bits)
    _expect(bits.u(1), 1, "rbsp_stop_one_bit")
    return Shape(chroma_format, width, height, bit_depth), tools


def _parse_tools(bits: BitReader) -> Tools:
    """Parse the SPS from log2_min_luma_coding_block_size_minus3 to the end of the extensions."""
    blocks = read_block_sizes(bits)
    bits.ue()  # max_transform_hierarchy_depth_inter
    depth = bits.ue()
    _expect(bits.u(1), 0, "scaling_list_enabled_flag")
    bits.u(1)  # amp_enabled_flag
    sample_adaptive_offset = bits.flag()
    pcm = read_pcm(bits)
    _expect(bits.ue(), 0, "num_short_term_ref_pic_sets")
    _expect(bits.u(1), 0, "long_term_ref_pics_present_flag")
    bits.u(1)  # sps_temporal_mvp_enabled_flag
    smoothing = bits.flag()
    if bits.flag():  # vui_parameters_present_flag
        _skip_usability(bits)
    return Tools(*blocks, depth, sample_adaptive_offset, smoothing, pcm, read_extensions(bits))


def _skip_usability(bits: BitReader) -> None:
    """Skip vui_parameters (clause E.2.1) that hold only signal type and timing, as x265 writes them."""
    _expect(bits.u(2), 0, "aspect_ratio_info_present_flag or overscan_info_present_flag")
    if bits.flag():  # video_signal_type_present_flag
        bits.u(4)  # video_format, video_full_range_flag
        if bits.flag():  # colour_description_present_flag
            bits.u(24)
    _expect(bits.u(5), 0, "a flag of vui_parameters from chroma_loc_info_present_flag to default_display_window_flag")
    if bits.flag():  # vui_timing_info_present_flag
        bits.u(64)  # vui_num_units_in_tick, vui_time_scale
        _expect(bits.u(2), 0, "vui_poc_proportional_to_timing_flag or vui_hrd_parameters_present_flag")
    _expect(bits.u(1), 0, "bitstream_restriction_flag")


def _expect(value: int, implied: int, field: str) -> None:
    if value != implied:
        raise CodecError(f"The encoder's stream cannot become a BPG file: {field} is {value}, not {implied}.")


def write_sps(shape: Shape, tools: Tools) -> Nal:
    """Return the sequence parameter set (clause 7.3.2.2) that a BPG decoder assumes, the inverse of `parse_sps`."""
    bits = BitWriter()
    bits.u(4, 0)  # sps_video_parameter_set_id
    bits.u(3, 0)  # sps_max_sub_layers_minus1
    bits.flag(True)  # sps_temporal_id_nesting_flag
    _write_profile(bits)
    bits.ue(0)  # sps_seq_parameter_set_id
    bits.ue(shape.chroma_format)
    if shape.chroma_format == 3:
        bits.flag(False)  # separate_colour_plane_flag
    bits.ue(shape.width)
    bits.ue(shape.height)
    bits.flag(False)  # conformance_window_flag
    bits.ue(shape.bit_depth - 8)  # bit_depth_luma_minus8
    bits.ue(shape.bit_depth - 8)  # bit_depth_chroma_minus8
    bits.ue(4)  # log2_max_pic_order_cnt_lsb_minus4
    _write_picture_buffer(bits)
    write_block_sizes(bits, tools)
    bits.ue(tools.transform_depth)  # max_transform_hierarchy_depth_inter
    bits.ue(tools.transform_depth)
    bits.flag(False)  # scaling_list_enabled_flag
    bits.flag(True)  # amp_enabled_flag
    bits.flag(tools.sample_adaptive_offset)
    write_pcm(bits, tools.pcm)
    bits.ue(0)  # num_short_term_ref_pic_sets
    bits.flag(False)  # long_term_ref_pics_present_flag
    bits.flag(True)  # sps_temporal_mvp_enabled_flag
    bits.flag(tools.strong_intra_smoothing)
    bits.flag(False)  # vui_parameters_present_flag
    write_extensions(bits, tools.range_extension)
    return _parameter_set(NalType.SPS, bits)


def write_vps() -> Nal:
    """Return the video parameter set (clause 7.3.2.1) that a BPG decoder assumes: one layer, one sub-layer."""
    bits = BitWriter()
    bits.u(4, 0)  # vps_video_parameter_set_id
    bits.u(2, 3)  # vps_base_layer_internal_flag, vps_base_layer_available_flag
    bits.u(6, 0)  # vps_max_layers_minus1
    bits.u(3, 0)  # vps_max_sub_layers_minus1
    bits.flag(True)  # vps_temporal_id_nesting_flag
    bits.u(16, 0xFFFF)  # vps_reserved_0xffff_16bits
    _write_profile(bits)
    _write_picture_buffer(bits)
    bits.u(6, 0)  # vps_max_layer_id
    bits.ue(0)  # vps_num_layer_sets_minus1
    bits.flag(False)  # vps_timing_info_present_flag
    bits.flag(False)  # vps_extension_flag
    return _parameter_set(NalType.VPS, bits)


def _parameter_set(kind: NalType, bits: BitWriter) -> Nal:
    bits.flag(True)  # rbsp_stop_one_bit
    return Nal(bytes([kind << 1, 1]) + escape(bits.padded()))


def _write_profile(bits: BitWriter) -> None:
    """Write profile_tier_level (clause 7.3.3): format range extensions (clause A.3.5) at level 8.5, without limits."""
    profile = 4
    bits.u(3, 0)  # general_profile_space, general_tier_flag
    bits.u(5, profile)
    bits.u(32, 1 << 31 - profile)  # general_profile_compatibility_flag
    bits.u(4, 0b1001)  # progressive source, not interlaced, packing not restricted, frames only
    bits.u(44, 0)  # no constraint of a narrower profile
    bits.u(8, 255)  # general_level_idc


def _write_picture_buffer(bits: BitWriter) -> None:
    bits.flag(True)  # sub_layer_ordering_info_present_flag
    bits.ue(0)  # max_dec_pic_buffering_minus1
    bits.ue(0)  # max_num_reorder_pics
    bits.ue(0)  # max_latency_increase_plus1
