"""Block sizes of HEVC: the last ones that clause 7.4.3.2.1 allows, and the next, which are refused."""

from dataclasses import replace
from typing import Any

import pytest

from models.codecs.bpg.bits import BitReader, BitWriter
from models.codecs.bpg.coding_tools import (
    Pcm,
    RangeExtension,
    Tools,
    read_block_sizes,
    read_extensions,
    read_pcm,
    write_block_sizes,
    write_extensions,
    write_pcm,
)
from models.errors import CodecError

# Blocks of 8 to 64 samples, transforms of 4 to 32.
TOOLS = Tools(3, 6, 2, 5, 4, sample_adaptive_offset=True, strong_intra_smoothing=False)
PCM = Pcm(luma_bits=8, chroma_bits=7, log2_min=3, log2_max=5, loop_filter_off=True)


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ({"log2_min_block": 3}, {"log2_min_block": 2}),
        ({"log2_max_block": 6}, {"log2_max_block": 7}),
        (
            {"log2_min_block": 6, "log2_max_block": 6},
            {"log2_min_block": 6, "log2_max_block": 5, "transform_depth": 0},
        ),
        (
            {"log2_max_block": 4, "log2_max_transform": 4, "transform_depth": 2},
            {"log2_max_block": 3, "log2_max_transform": 3, "transform_depth": 1},
        ),
        ({"log2_min_transform": 2}, {"log2_min_transform": 1}),
        ({"log2_min_transform": 2, "log2_max_transform": 2}, {"log2_min_transform": 2, "log2_max_transform": 1}),
        ({"log2_max_transform": 5}, {"log2_max_transform": 6}),
        (
            {"log2_max_block": 4, "log2_max_transform": 4, "transform_depth": 0},
            {"log2_max_block": 4, "log2_max_transform": 5, "transform_depth": 0},
        ),
        (
            {"log2_min_block": 4, "log2_min_transform": 3, "transform_depth": 0},
            {"log2_min_block": 3, "log2_min_transform": 3, "transform_depth": 0},
        ),
        ({"transform_depth": 0}, {"transform_depth": -1}),
        ({"transform_depth": 4}, {"transform_depth": 5}),
        ({"pcm": PCM}, {"pcm": replace(PCM, log2_min=2)}),
        ({"pcm": PCM}, {"pcm": replace(PCM, log2_max=6)}),
        ({"pcm": replace(PCM, log2_min=5)}, {"pcm": replace(PCM, log2_min=5, log2_max=4)}),
        (
            {"log2_min_block": 6, "pcm": replace(PCM, log2_min=5)},
            {"log2_min_block": 6, "pcm": replace(PCM, log2_min=4)},
        ),
    ],
)
def test_the_next_size_after_the_last_allowed_one_is_refused(allowed: dict[str, Any], refused: dict[str, Any]) -> None:
    replace(TOOLS, **allowed)
    with pytest.raises(CodecError, match="block sizes"):
        replace(TOOLS, **refused)


def test_block_sizes_are_written_as_differences() -> None:
    bits = BitWriter()
    write_block_sizes(bits, replace(TOOLS, log2_min_block=4))

    assert bits.padded() == bytes([0b010_011_1_0, 0b0100_0000])  # 1, 2, 0, 3 as Exp-Golomb codes
    assert read_block_sizes(BitReader(bits.padded())) == (4, 6, 2, 5)


def test_plain_samples_are_written_with_their_depth_less_one() -> None:
    bits = BitWriter()
    write_pcm(bits, PCM)

    assert bits.padded() == bytes([0b1_0111_011, 0b0_1_011_1_00])  # flag, 7, 6, then 0 and 2, flag
    assert read_pcm(BitReader(bits.padded())) == PCM
    assert read_pcm(BitReader(b"\0")) is None


@pytest.mark.parametrize("which", range(9))
def test_each_flag_of_the_range_extension_has_its_bit(which: int) -> None:
    flags = [place == which for place in range(9)]
    bits = BitWriter()
    write_extensions(bits, RangeExtension(*flags))

    written = int.from_bytes(bits.padded()) >> 6  # of 24 bits 18 are used: a flag, a byte and nine flags
    assert written == 1 << 17 | 0x80 << 9 | 1 << 8 - which
    assert read_extensions(BitReader(bits.padded())) == RangeExtension(*flags)


def test_an_extension_without_the_range_flags_has_none_set_and_any_other_is_refused() -> None:
    assert read_extensions(BitReader(b"\0")) is None
    assert read_extensions(BitReader(bytes([0b1000_0000, 0]))) == RangeExtension(*[False] * 9)
    for other in range(7):
        with pytest.raises(CodecError, match="extension of HEVC"):
            read_extensions(BitReader((1 << 15 | 1 << 7 + other).to_bytes(2)))
