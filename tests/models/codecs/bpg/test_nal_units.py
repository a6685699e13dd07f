"""NAL units are split where they were joined, whatever their payload."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs.bpg import nal_units
from models.codecs.bpg.nal_units import Nal, NalType
from models.errors import CodecError

repeatable = settings(derandomize=True, deadline=None, max_examples=150)

zeros_and_ones = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4]), max_size=40).map(bytes)


@repeatable
@given(st.lists(zeros_and_ones, min_size=1, max_size=4), st.data())
def test_units_are_split_where_they_were_joined(payloads: list[bytes], data: st.DataObject) -> None:
    """No payload can contain a start code or end like the beginning of one."""
    # Each payload ends with a stop bit, as every unit does. `probe` is the public function that escapes.
    nals = [nal_units.probe(Nal(b"\x26\1" + b"\xff" * 40 + payload + b"\xff\xff\x80")) for payload in payloads]
    codes = data.draw(st.lists(st.sampled_from([b"\0\0\1", b"\0\0\0\1"]), min_size=len(nals), max_size=len(nals)))

    stream = b"".join(code + nal.data for code, nal in zip(codes, nals, strict=True))

    assert list(nal_units.split(stream)) == nals
    assert all(nal.data.find(b"\0\0\0") == nal.data.find(b"\0\0\1") == nal.data.find(b"\0\0\2") == -1 for nal in nals)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\x26\1\xaf",
        b"\0\0\1",
        b"\0\0\1\x26\1",
        b"\0\0\1\x26\1\xaf\0",
        b"\0\0\1\x26\1\xaf\0\0\1",
        b"\0\0\1\xa6\1\xaf",
        b"\0\0\1\x26\0\xaf",
        b"\0\0\1\0\0\1\x26\1\xaf",
    ],
)
def test_streams_that_do_not_consist_of_units_are_refused(stream: bytes) -> None:
    with pytest.raises(CodecError):
        list(nal_units.split(stream))


def test_the_header_of_a_unit_is_read_and_checked() -> None:
    nal = Nal(bytes([NalType.IDR_W_RADL << 1, 1 << 3 | 1, 0x80]))

    assert (nal.type, nal.layer, nal.is_slice, nal.starts_picture) == (19, 1, True, True)
    assert nal.in_base_layer().data == bytes([NalType.IDR_W_RADL << 1, 1, 0x80])
    assert not Nal(bytes([NalType.PPS << 1, 1, 0x80])).starts_picture
    assert not Nal(bytes([NalType.IDR_N_LP << 1, 1, 0x7F])).starts_picture


def test_a_unit_is_immutable() -> None:
    changed: Any = Nal(b"\x26\1\xaf")

    with pytest.raises(AttributeError):
        changed.data = b""
