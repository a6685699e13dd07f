"""NAL units of HEVC: splitting and joining of byte streams, and probes for truncated slices.

"High efficiency video coding", ITU-T H.265 (08/2021), also ISO/IEC 23008-2; clause numbers refer to this text. The
module covers the intra pictures of one layer, as BPG does.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from models.errors import CodecError


class NalType(IntEnum):
    """The values of nal_unit_type (table 7-1) that occur in a still picture of BPG or in the stream of its encoder."""

    IDR_W_RADL = 19
    IDR_N_LP = 20
    VPS = 32
    SPS = 33
    PPS = 34
    PREFIX_SEI = 39
    SUFFIX_SEI = 40


PICTURES = frozenset({NalType.IDR_W_RADL, NalType.IDR_N_LP})
"""Types of the slices of a picture that starts a stream and depends on no other picture."""


@dataclass(frozen=True)
class Nal:
    """A NAL unit (clause 7.3.1.1), checked when it is built.

    Attributes:
        data: two bytes of header and the payload, without the start code.

    Raises:
        CodecError: the unit is empty or its header is invalid.
    """

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) < 3 or self.data[0] & 0x80 or not self.data[1] & 7:  # forbidden_zero_bit, temporal id plus 1
            raise CodecError("The BPG file is damaged: a unit of its HEVC data is empty or has a wrong header.")

    @property
    def type(self) -> int:
        """nal_unit_type, 0 to 63."""
        return self.data[0] >> 1

    @property
    def layer(self) -> int:
        """nuh_layer_id, 0 to 63."""
        return (self.data[0] & 1) << 5 | self.data[1] >> 3

    @property
    def is_slice(self) -> bool:
        """Whether the unit holds a part of a picture (VCL, clause 7.4.2.2)."""
        return self.type < NalType.VPS

    @property
    def starts_picture(self) -> bool:
        """Whether the unit is the first slice of a picture: first_slice_segment_in_pic_flag (clause 7.3.6.1)."""
        return self.is_slice and self.data[2] & 0x80 != 0

    def in_base_layer(self) -> "Nal":
        """Return the same unit with nuh_layer_id 0."""
        return Nal(bytes([self.data[0] & 0xFE, self.data[1] & 7]) + self.data[2:])

    def with_start_code(self) -> bytes:
        """Return the unit as a part of a byte stream (annex B)."""
        return START_CODE + self.data


START_CODE = b"\0\0\1"


def split(stream: bytes) -> Iterator[Nal]:
    """Yield the units of a byte stream (annex B), each preceded by 00 00 01 or 00 00 00 01.

    Raises:
        CodecError: `stream` does not begin with a start code, it ends in a zero byte, which no unit does (clause
            7.4.2), or a unit is empty or has an invalid header.
    """
    if not stream.startswith((START_CODE, b"\0" + START_CODE)) or stream.endswith(b"\0"):
        raise CodecError("The BPG file is damaged or cut short: its HEVC data do not begin or end as they should.")
    start = stream.index(START_CODE) + len(START_CODE)
    while start:
        end = stream.find(START_CODE, start)
        unit = stream[start : end if end >= 0 else None]
        yield Nal(unit[:-1] if end >= 0 and unit.endswith(b"\0") else unit)
        start = end + len(START_CODE) if end >= 0 else 0


def byte_stream(nals: Iterable[Nal]) -> bytes:
    """Return the units as one byte stream (annex B)."""
    return b"".join(nal.with_start_code() for nal in nals)


def escape(payload: bytes) -> bytes:
    """Return the payload without start codes: with a 03 between two zeros and a byte of 0 to 3 (clause 7.4.2)."""
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", payload)


def unescape(payload: bytes) -> bytes:
    """Return the payload without its emulation prevention bytes (clause 7.4.2), the inverse of `escape`."""
    return payload.replace(b"\0\0\3", b"\0\0")


def probe(nal: Nal) -> Nal:
    """Return a slice that decodes to the same picture if `nal` is the whole slice, and otherwise almost never.

    FFmpeg does not report that it read past the end of a slice. The arithmetic code shows it (clauses 9.3.4.3.5 and
    9.3.5). At the end of a whole slice, the last one bit has weight 1 in the 9-bit offset of the decoder. The offset
    lies in the uppermost 2 of a range of at least 256. An offset that is 254 less thus decodes to the same samples,
    for any bytes that follow; only the flag that ends the slice differs.

    If the last byte of the slice is missing, the last remaining one bit weighs 2 or more. The offset then leaves its
    range, and samples change. If more bytes are missing, the decoder reads the bytes that follow as samples, and they
    differ from the bytes behind `nal`.

    Raises:
        CodecError: the payload is too short for a slice.
    """
    payload = _slice_payload(nal)
    code = int.from_bytes(payload)
    last_one = code & -code
    code -= 254 * last_one
    if code <= 0:
        raise CodecError("The BPG file is cut short: send the whole file.")
    return Nal(nal.data[:2] + escape(code.to_bytes(len(payload)) + _FILLER))


def with_filler(nal: Nal) -> Nal:
    """Return a slice with further bytes behind it, which a decoder does not reach if `nal` is the whole slice.

    This is the probe for every slice but the last. With `probe`, the decoder would continue into the next slice.
    """
    return Nal(nal.data[:2] + escape(_slice_payload(nal) + _FILLER))


def _slice_payload(nal: Nal) -> bytes:
    return unescape(nal.data[2:]).rstrip(b"\0")  # cabac_zero_words may follow (clause 7.3.2.10)


_FILLER = bytes.fromhex("a7 5c e3 91") * 16
