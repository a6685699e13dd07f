"""The parameter sets of HEVC, compared with a second, independent writer of the syntax."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs.bpg import parameter_sets
from models.codecs.bpg.bits import BitWriter
from models.codecs.bpg.coding_tools import Pcm, RangeExtension, Tools
from models.codecs.bpg.nal_units import Nal, NalType
from models.codecs.bpg.parameter_sets import Shape
from models.errors import CodecError

repeatable = settings(derandomize=True, deadline=None, max_examples=150)

SHAPE = Shape(chroma_format=3, width=64, height=32, bit_depth=10)
TOOLS = Tools(3, 5, 2, 5, 1, sample_adaptive_offset=True, strong_intra_smoothing=True)

# The fields of an SPS with this shape and these tools, in the order of clause 7.3.2.2: length or "ue", and value.
SPS: dict[str, tuple[int | str, int]] = {
    "sps_video_parameter_set_id": (4, 0),
    "sps_max_sub_layers_minus1": (3, 0),
    "sps_temporal_id_nesting_flag": (1, 1),
    "general_profile_idc": (8, 4),
    "general_profile_compatibility_flags": (32, 1 << 27),
    "general_constraint_flags": (48, 0b1001 << 44),
    "general_level_idc": (8, 255),
    "sps_seq_parameter_set_id": ("ue", 0),
    "chroma_format_idc": ("ue", 3),
    "separate_colour_plane_flag": (1, 0),
    "pic_width_in_luma_samples": ("ue", 64),
    "pic_height_in_luma_samples": ("ue", 32),
    "conformance_window_flag": (1, 0),
    "bit_depth_luma_minus8": ("ue", 2),
    "bit_depth_chroma_minus8": ("ue", 2),
    "log2_max_pic_order_cnt_lsb_minus4": ("ue", 4),
    "sps_sub_layer_ordering_info_present_flag": (1, 1),
    "sps_max_dec_pic_buffering_minus1": ("ue", 0),
    "sps_max_num_reorder_pics": ("ue", 0),
    "sps_max_latency_increase_plus1": ("ue", 0),
    "log2_min_luma_coding_block_size_minus3": ("ue", 0),
    "log2_diff_max_min_luma_coding_block_size": ("ue", 2),
    "log2_min_luma_transform_block_size_minus2": ("ue", 0),
    "log2_diff_max_min_luma_transform_block_size": ("ue", 3),
    "max_transform_hierarchy_depth_inter": ("ue", 1),
    "max_transform_hierarchy_depth_intra": ("ue", 1),
    "scaling_list_enabled_flag": (1, 0),
    "amp_enabled_flag": (1, 1),
    "sample_adaptive_offset_enabled_flag": (1, 1),
    "pcm_enabled_flag": (1, 0),
    "num_short_term_ref_pic_sets": ("ue", 0),
    "long_term_ref_pics_present_flag": (1, 0),
    "sps_temporal_mvp_enabled_flag": (1, 1),
    "strong_intra_smoothing_enabled_flag": (1, 1),
    "vui_parameters_present_flag": (1, 0),
    "sps_extension_present_flag": (1, 0),
    "rbsp_stop_one_bit": (1, 1),
}


def sps(**changes: int) -> Nal:
    bits = BitWriter()
    for name, (kind, value) in SPS.items():
        written = changes.get(name, value)
        bits.ue(written) if isinstance(kind, str) else bits.u(kind, written)
    escaped = b""
    for byte in bits.padded():
        escaped += bytes([3, byte] if byte < 4 and escaped.endswith(b"\0\0") else [byte])
    return Nal(bytes([NalType.SPS << 1, 1]) + escaped)


def test_a_written_sps_has_every_field() -> None:
    assert parameter_sets.write_sps(SHAPE, TOOLS) == sps()
    assert parameter_sets.parse_sps(sps()) == (SHAPE, TOOLS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sps_video_parameter_set_id", 1),
        ("sps_max_sub_layers_minus1", 1),
        ("sps_seq_parameter_set_id", 1),
        ("separate_colour_plane_flag", 1),
        ("conformance_window_flag", 1),
        ("bit_depth_chroma_minus8", 0),
        ("scaling_list_enabled_flag", 1),
        ("num_short_term_ref_pic_sets", 1),
        ("long_term_ref_pics_present_flag", 1),
        ("rbsp_stop_one_bit", 0),
    ],
)
def test_an_sps_that_a_bpg_file_would_lose_is_refused(field: str, value: int) -> None:
    with pytest.raises(CodecError, match=field):
        parameter_sets.parse_sps(sps(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("general_profile_idc", 1),
        ("log2_max_pic_order_cnt_lsb_minus4", 0),
        ("sps_max_dec_pic_buffering_minus1", 3),
        ("max_transform_hierarchy_depth_inter", 0),
        ("amp_enabled_flag", 0),
        ("sps_temporal_mvp_enabled_flag", 0),
    ],
)
def test_fields_without_effect_on_an_intra_picture_may_differ(field: str, value: int) -> None:
    assert parameter_sets.parse_sps(sps(**{field: value})) == (SHAPE, TOOLS)


@pytest.mark.parametrize(
    "changes",
    [
        {"log2_diff_max_min_luma_coding_block_size": 4},
        {"log2_diff_max_min_luma_coding_block_size": 0},
        {"log2_min_luma_transform_block_size_minus2": 1},
        {"log2_diff_max_min_luma_transform_block_size": 4},
        {"max_transform_hierarchy_depth_intra": 4},
        {"log2_min_luma_coding_block_size_minus3": 2**32 - 2},
    ],
)
def test_block_sizes_that_hevc_does_not_allow_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(CodecError, match="block sizes"):
        parameter_sets.parse_sps(sps(**changes))


@pytest.mark.parametrize("length", range(3, len(sps().data)))
def test_a_truncated_sps_is_refused(length: int) -> None:
    with pytest.raises(CodecError):
        parameter_sets.parse_sps(Nal(sps().data[:length]))


@st.composite
def parameters(draw: st.DrawFn) -> tuple[Shape, Tools]:
    block = draw(st.integers(3, 6))
    largest = draw(st.integers(max(4, block), 6))
    transform = draw(st.integers(2, min(block - 1, 5)))
    depth = draw(st.integers(8, 14))
    samples = st.integers(1, depth)
    pcm = st.builds(Pcm, samples, samples, st.just(min(block, 5)), st.just(min(largest, 5)), st.booleans())
    tools = Tools(
        block,
        largest,
        transform,
        draw(st.integers(transform, min(largest, 5))),
        draw(st.integers(0, largest - transform)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.none() | pcm),
        draw(st.none() | st.builds(RangeExtension, *[st.booleans()] * 9)),
    )
    side = st.integers(1, 2**20).map(lambda blocks: blocks << block)
    return Shape(draw(st.integers(0, 3)), draw(side), draw(side), depth), tools


@repeatable
@given(parameters())
def test_parameter_sets_round_trip(written: tuple[Shape, Tools]) -> None:
    assert parameter_sets.parse_sps(parameter_sets.write_sps(*written)) == written
