"""The slices of our own files, bit by bit: their quantization parameter, and pictures of several slices."""

from dataclasses import replace

import numpy as np

from models.codecs import bpg
from models.codecs.bpg import container
from models.codecs.bpg.bits import BitReader, BitWriter
from models.codecs.bpg.container import BpgFile
from models.codecs.bpg.nal_units import Nal

_BLOCK = 64  # side of the largest coding block


def slice_qp(file: bytes) -> int:
    """SliceQpY (H.265, clause 7.4.7.1) of a color file that `bpg.encode` made."""
    parameters, part = container.parse(file).nals
    bits = BitReader(_unescaped(parameters))
    bits.ue()  # pps_pic_parameter_set_id
    bits.ue()  # pps_seq_parameter_set_id
    bits.u(7)  # from dependent_slice_segments_enabled_flag to cabac_init_present_flag
    bits.ue()  # num_ref_idx_l0_default_active_minus1
    bits.ue()  # num_ref_idx_l1_default_active_minus1
    return 26 + _signed(bits) + _read_header(BitReader(_unescaped(part)))


def in_three_slices() -> tuple[BpgFile, Nal, list[Nal]]:
    """A picture of three blocks in a column, each with the same noise in a slice of its own.

    Returns:
        The file without units, its PPS, and the slices.
    """
    noise = np.random.default_rng(0).integers(0, 256, (_BLOCK, _BLOCK, 3), dtype=np.uint8)
    file = container.parse(bpg.encode(noise, qp=26))
    parameters, first = file.nals
    taller = replace(file, header=replace(file.header, height=3 * _BLOCK), nals=())
    return taller, parameters, [first, _moved_to(first, 1), _moved_to(first, 2)]


def _moved_to(first: Nal, address: int) -> Nal:
    """The same slice for another of the three blocks, with a slice_segment_address of two bits in its header."""
    payload = _unescaped(first)
    bits = BitReader(payload)
    _read_header(bits)
    length = bits.left
    bits = BitReader(payload)
    moved = BitWriter()
    moved.u(1, bits.u(1) - 1)  # first_slice_segment_in_pic_flag
    moved.u(2, bits.u(2))  # no_output_of_prior_pics_flag, slice_pic_parameter_set_id 0
    moved.u(2, address)
    moved.u(bits.left - length, bits.u(bits.left - length))
    moved.u(1, 1)  # byte_alignment
    data = payload[-(length // 8) :]
    return Nal(first.data[:2] + _escaped(moved.padded() + data))


def _read_header(bits: BitReader) -> int:
    """Read slice_segment_header (clause 7.3.6.1) up to byte_alignment, as x265 writes it; return slice_qp_delta."""
    bits.u(2)  # first_slice_segment_in_pic_flag, no_output_of_prior_pics_flag
    assert (bits.ue(), bits.ue()) == (0, 2)  # slice_pic_parameter_set_id, slice_type I
    bits.u(2)  # slice_sao_luma_flag, slice_sao_chroma_flag
    delta = _signed(bits)
    bits.u(1)  # slice_loop_filter_across_slices_enabled_flag
    return delta


def _signed(bits: BitReader) -> int:
    """Read a signed Exp-Golomb number, se(v) (clause 9.2.2)."""
    code = bits.ue()
    return (code + 1) // 2 * (1 if code % 2 else -1)


def _unescaped(nal: Nal) -> bytes:
    return nal.data[2:].replace(b"\0\0\3", b"\0\0")


def _escaped(payload: bytes) -> bytes:
    for low in (3, 2, 1, 0):
        payload = payload.replace(bytes([0, 0, low]), bytes([0, 0, 3, low]))
    return payload
