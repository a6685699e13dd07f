"""The quantization parameters (QP) in the headers of slices, which FFmpeg cannot all decode.

"High efficiency video coding", ITU-T H.265 (08/2021), also ISO/IEC 23008-2; clause numbers refer to this text.

With 12 bits a sample, the QP that scales coefficients is 24 above the QP of the header and ends at 75 (clause 8.6.1).
The tables of quotients and remainders by six in FFmpeg (`rem6` and `div6` in libavcodec/hevc/cabac.c) have 76 entries,
but only 74 are written out. Those of 74 and 75 are zero, which scales coefficients by 40 instead of 208,896 and
233,472. The picture is then almost flat, and a checksum in the file, which is right, does not match. `bpgdec` 0.9.8
has the same tables and thus shows the same wrong picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from models.codecs.bpg.bits import BitReader
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.nal_units import Nal, NalType, unescape
from models.codecs.bpg.parameter_sets import Shape
from models.errors import CodecError

_DEPTH = 12  # bits a sample from which on the table is too short; FFmpeg decodes no deeper pictures
_LARGEST = 49  # QP that FFmpeg scales as H.265 does; 50 and 51 are left
_FRONT = 66  # bytes of a unit that hold these fields: five numbers of at most 63 bits, and some flags
_SUBSAMPLED_LARGEST = 55  # the same for chroma of 4:2:0, whose QP is lower by 6 there (table 8-10)


def check_quantization(picture: Sequence[Nal], shape: Shape, tools: Tools) -> None:
    """Raise CodecError if a slice has a QP for which FFmpeg returns wrong pixels.

    A block can deviate from the QP of its slice, which only a checksum in the file reveals.

    Args:
        picture: the units of an intra picture without VPS and SPS.
        shape, tools: the fields of the SPS.
    """
    if shape.bit_depth < _DEPTH:
        return
    sets: dict[int, _PictureParameters] = {}
    for nal in picture:
        if nal.type == NalType.PPS:
            bits = BitReader(unescape(nal.data[2:_FRONT]))
            number = bits.ue()  # pps_pic_parameter_set_id
            sets[number] = _PictureParameters.read(bits)
        elif nal.is_slice and not _is_scaled(nal, sets, shape, tools):
            raise CodecError(
                f"BPG images with {shape.bit_depth} bits per sample and a QP of 50 or 51 are not supported: FFmpeg "
                f"decodes them to wrong pixels. Encode the image with a QP of at most {_LARGEST}."
            )


@dataclass(frozen=True)
class _PictureParameters:
    """The fields of a PPS (clause 7.3.2.3) that a slice header and its QP depend on."""

    dependent_slices: bool
    output_flag: bool
    extra_bits: int
    qp: int
    chroma_offsets: tuple[int, int]
    slice_offsets: bool

    @classmethod
    def read(cls, bits: BitReader) -> Self:
        """Read a PPS from behind its id."""
        bits.ue()  # pps_seq_parameter_set_id
        dependent, output, extra = bits.flag(), bits.flag(), bits.u(3)
        bits.u(2)  # sign_data_hiding_enabled_flag, cabac_init_present_flag
        bits.ue()  # num_ref_idx_l0_default_active_minus1
        bits.ue()  # num_ref_idx_l1_default_active_minus1
        qp = 26 + bits.se()  # init_qp_minus26
        bits.u(2)  # constrained_intra_pred_flag, transform_skip_enabled_flag
        if bits.flag():  # cu_qp_delta_enabled_flag
            bits.ue()  # diff_cu_qp_delta_depth
        offsets = bits.se(), bits.se()  # pps_cb_qp_offset, pps_cr_qp_offset
        return cls(dependent, output, extra, qp, offsets, bits.flag())


def _is_scaled(nal: Nal, sets: dict[int, _PictureParameters], shape: Shape, tools: Tools) -> bool:
    """Return whether FFmpeg scales the coefficients of a slice as H.265 does, by its header (clause 7.3.6.1)."""
    bits = BitReader(unescape(nal.data[2:_FRONT]))
    first = bits.flag()  # first_slice_segment_in_pic_flag
    bits.u(1)  # no_output_of_prior_pics_flag
    parameters = sets.get(bits.ue())  # slice_pic_parameter_set_id
    if parameters is None:
        raise CodecError("The BPG file is damaged: a slice refers to a parameter set that is missing.")
    if not first:
        if parameters.dependent_slices and bits.flag():  # dependent_slice_segment_flag
            return True  # its QP is that of an earlier slice
        side = 1 << tools.log2_max_block
        bits.u((-(-shape.width // side) * -(-shape.height // side) - 1).bit_length())  # slice_segment_address
    bits.u(parameters.extra_bits)  # slice_reserved_flag
    bits.ue()  # slice_type
    bits.u(parameters.output_flag)  # pic_output_flag
    if tools.sample_adaptive_offset:
        bits.u(2 if shape.chroma_format else 1)  # slice_sao_luma_flag, slice_sao_chroma_flag
    qp = parameters.qp + bits.se()  # slice_qp_delta
    if qp > _LARGEST:
        return False
    if not shape.chroma_format:
        return True
    offsets = (bits.se(), bits.se()) if parameters.slice_offsets else (0, 0)  # slice_cb_qp_offset, slice_cr_qp_offset
    of_chroma = [qp + own + more for own, more in zip(parameters.chroma_offsets, offsets, strict=True)]
    return max(of_chroma) <= (_SUBSAMPLED_LARGEST if shape.chroma_format == 1 else _LARGEST)
