"""Integers of headers: the examples of both specifications, round trips, and every invalid code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs.bpg.bits import BitReader, BitWriter, read_ue7, write_ue7
from models.errors import CodecError

repeatable = settings(derandomize=True, deadline=None, max_examples=200)


@pytest.mark.parametrize(
    ("code", "value"), [("08", 8), ("841e", 542), ("acbe17", 728855), ("00", 0), ("8fffffff7f", 2**32 - 1)]
)
def test_examples_of_the_specification_are_read_and_written(code: str, value: int) -> None:
    data = bytes.fromhex(code)

    assert read_ue7(data + b"\xff", 0) == (value, len(data))
    assert write_ue7(value) == data


@pytest.mark.parametrize(
    "code",
    ["80", "8001", "808001", "9080808000", "8fffffffff7f", "ffffffff7f", "ffffffffffffff7f"],
)
def test_a_ue7_that_is_not_the_shortest_or_exceeds_32_bits_is_refused(code: str) -> None:
    with pytest.raises(CodecError):
        read_ue7(bytes.fromhex(code), 0)


@repeatable
@given(st.integers(0, 2**32 - 1), st.binary(max_size=3))
def test_ue7_round_trips_and_every_strict_prefix_is_refused(value: int, before: bytes) -> None:
    code = write_ue7(value)

    assert read_ue7(before + code, len(before)) == (value, len(before) + len(code))
    for length in range(len(code)):
        with pytest.raises(CodecError):
            read_ue7(before + code[:length], len(before))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ffffffff", "ends inside its header"),
        ("00ffffffff", "ends inside its header"),
        ("", "ends inside its header"),
        ("ffffffffff", "more than 32 bits"),
        ("00ffffffffff", "more than 32 bits"),
        ("908080800000", "more than 32 bits"),
        ("8081", "starts with an empty byte"),
    ],
)
def test_a_ue7_that_is_cut_short_and_one_that_is_too_long_are_told_apart(code: str, reason: str) -> None:
    """Five bytes are as many as a number of 32 bits has."""
    data = bytes.fromhex(code)

    with pytest.raises(CodecError, match=reason):
        read_ue7(data, 1 if data.startswith(b"\0") else 0)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_number_that_ue7_cannot_hold_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        write_ue7(value)


@pytest.mark.parametrize(
    ("code", "value"), [("1", 0), ("010", 1), ("011", 2), ("00100", 3), ("00111", 6), ("0001000", 7)]
)
def test_exp_golomb_matches_table_9_2_of_h265(code: str, value: int) -> None:
    writer = BitWriter()
    writer.ue(value)
    padded = int(code.ljust(8, "0"), 2).to_bytes()

    assert writer.padded() == padded
    assert BitReader(padded).ue() == value


@pytest.mark.parametrize(("code", "value"), [("1", 0), ("010", 1), ("011", -1), ("00100", 2), ("00111", -3)])
def test_signed_exp_golomb_matches_table_9_3_of_h265(code: str, value: int) -> None:
    assert BitReader(int(code.ljust(8, "0"), 2).to_bytes()).se() == value


fields = st.lists(
    st.one_of(
        st.tuples(st.just("ue"), st.integers(0, 2**32 - 2)),
        st.tuples(st.integers(1, 40), st.integers(0, 2**40 - 1)).map(lambda pair: (pair[0], pair[1] % 2 ** pair[0])),
    ),
    max_size=12,
)


@repeatable
@given(fields)
def test_written_values_are_read_back_and_nothing_more(written: list[tuple[int | str, int]]) -> None:
    writer = BitWriter()
    for kind, value in written:
        writer.ue(value) if isinstance(kind, str) else writer.u(kind, value)

    reader = BitReader(writer.padded())

    assert [(kind, reader.ue() if isinstance(kind, str) else reader.u(kind)) for kind, _ in written] == written
    assert reader.left < 8
    assert reader.u(reader.left) == 0
    with pytest.raises(CodecError):
        reader.flag()


def test_an_exp_golomb_code_of_more_than_32_bits_is_refused() -> None:
    with pytest.raises(CodecError, match="32 bits"):
        BitReader(b"\0" * 4 + b"\xff" * 8).ue()
    assert BitReader(b"\0\0\0\1" + b"\xff" * 4).ue() == 2**32 - 2  # 31 zeros, a one, and 31 ones


@pytest.mark.parametrize(("count", "value"), [(3, 8), (3, -1)])
def test_bits_that_cannot_be_written_are_refused(count: int, value: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        BitWriter().u(count, value)
    with pytest.raises(ValueError, match="Exp-Golomb"):
        BitWriter().ue(-1 if value < 0 else 2**32 - 1)
