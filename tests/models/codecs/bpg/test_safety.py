"""Any bytes give the pixels of the file or a CodecError.

The test mutates the corpus 20,000 times, always in the same way. To search further than the suite has time for:

    BPG_MUTANTS=200000 BPG_SEED=1 python -m pytest tests/models/codecs/bpg/test_safety.py
"""

import os
import random
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs import bpg
from models.codecs.bpg import container
from models.codecs.bpg.bits import write_ue7
from models.codecs.bpg.header import MAGIC, parse_header
from models.codecs.bpg.nal_units import Nal, NalType
from models.errors import CodecError
from models.rgb import Pixels
from tests.models.codecs.bpg.reference import MALFORMED, REFUSED, VALID, Vector, named
from tests.models.codecs.bpg.slices import in_three_slices

MUTANTS = int(os.environ.get("BPG_MUTANTS", "20000"))
SEED = int(os.environ.get("BPG_SEED", "0"))
MAX_PIXELS = 128 * 128  # a mutant may claim millions of pixels, which would be slow

repeatable = settings(derandomize=True, deadline=None, max_examples=300)


def decode_or_refuse(data: bytes) -> Pixels | None:
    """The pixels, checked to be the same each time, or None where the bytes are refused."""
    try:
        pixels = bpg.decode(data, max_pixels=MAX_PIXELS)
    except CodecError:
        return None
    header, _ = parse_header(data)
    assert pixels.dtype == np.uint8 and pixels.shape[:2] == (header.height, header.width)
    np.testing.assert_array_equal(bpg.decode(data, max_pixels=MAX_PIXELS), pixels)
    return pixels


def whole_without(vector: Vector) -> set[int]:
    """Lengths at which a prefix of a file is a whole file of the same picture.

    Units behind the picture are optional: the checksum of one file, and the further pictures of the animation, which
    are not decoded. All other files end with their picture or store its length.
    """
    length = len(vector.data)
    if str(vector) == "text_96x40_jctvc_hash":
        [checksum] = [nal for nal in container.parse(vector.data).nals if nal.type == NalType.SUFFIX_SEI]
        return {length - len(checksum.with_start_code())}
    if str(vector) == "anim_40x40_x265":
        return set(range(length - sum(len(nal.data) + 4 for nal in container.parse(vector.data).nals[2:]), length))
    return set()


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_every_strict_prefix_is_refused(vector: Vector) -> None:
    data, pixels = vector.data, vector.pixels

    for length in range(len(data)):
        try:
            decoded = bpg.decode(data[:length])
        except CodecError:
            continue
        assert length in whole_without(vector)
        np.testing.assert_array_equal(decoded, pixels)


def test_a_slice_of_our_own_without_its_last_byte_is_refused() -> None:
    """About one in four such slices decodes to the same picture, whatever bytes follow."""
    for seed in range(60):
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        file = container.parse(bpg.encode(pixels, qp=20 + seed % 20))
        parameters, picture = file.nals

        cut = replace(file, nals=(parameters, Nal(picture.data[:-1].rstrip(b"\0"))))

        with pytest.raises(CodecError):
            bpg.decode(container.serialize(cut))


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_picture_that_does_not_fill_its_frame_is_refused(vector: Vector) -> None:
    """FFmpeg leaves blocks without a slice uninitialized: they could show an image of another user."""
    file = container.parse(vector.data)

    for width, height in [(1, 1), (1, 2), (2, 1), (3, 3)]:
        larger = replace(file.header, width=64 * width + file.header.width, height=64 * height + file.header.height)
        with pytest.raises(CodecError):
            bpg.decode(container.serialize(replace(file, header=larger)))


@pytest.mark.parametrize("kind", [NalType.VPS, NalType.SPS, 35, 36, 38, 41, 63, 0, 1, 21])
def test_units_that_do_not_belong_in_a_still_picture_are_refused(kind: int) -> None:
    """For example, a parameter set in the data could request a larger picture than the checked header."""
    file = container.parse(named("own_pal2_32x32_444").data)
    unit = Nal(bytes([kind << 1, 1]) + file.nals[0].data[2:])

    for nals in [(unit, *file.nals), (file.nals[0], unit, file.nals[1]), (*file.nals, unit)]:
        with pytest.raises(CodecError):
            bpg.decode(container.serialize(replace(file, nals=nals)))


def test_a_missing_picture_or_a_second_one_is_refused() -> None:
    rgba = container.parse(named("rgba_40x40_x265_lossless").data)
    plain = container.parse(named("own_pal2_32x32_444").data)
    parameters, picture = plain.nals

    for file in [
        replace(rgba, nals=tuple(nal for nal in rgba.nals if nal.layer == 0)),
        replace(rgba, nals=tuple(nal for nal in rgba.nals if nal.layer == 1)),
        replace(plain, nals=(parameters,)),
        replace(plain, nals=(picture,)),
        replace(plain, nals=(parameters, picture, picture)),
        replace(plain, nals=(*plain.nals, rgba.nals[0])),
        replace(plain, nals=(parameters,) * 1000 + (picture,)),
    ]:
        with pytest.raises(CodecError):
            bpg.decode(container.serialize(file))


def decoded_from(*nals: Nal) -> Pixels:
    file, parameters, _ = in_three_slices()
    return bpg.decode(container.serialize(replace(file, nals=(parameters, *nals))))


def test_a_picture_of_several_slices_is_decoded() -> None:
    above, middle, below = in_three_slices()[2]

    pixels = decoded_from(above, middle, below)

    thirds = pixels.reshape(3, 64, 64, 3)[:, 8:56]  # rows that no filter changes across the border of a slice
    np.testing.assert_array_equal(thirds[0], thirds[1])
    np.testing.assert_array_equal(thirds[0], thirds[2])


def test_a_missing_or_misplaced_slice_is_refused() -> None:
    """FFmpeg leaves the memory of a missing slice uninitialized."""
    above, middle, below = in_three_slices()[2]

    for nals in [(above, below), (above, middle), (above,), (above, below, middle), (middle, below)]:
        with pytest.raises(CodecError):
            decoded_from(*nals)


def test_a_truncated_slice_in_the_middle_is_refused() -> None:
    above, middle, below = in_three_slices()[2]
    length = len(middle.data)

    for end in [*range(8, length, 97), *range(length - 4, length)]:
        with pytest.raises(CodecError):
            decoded_from(above, Nal(middle.data[:end].rstrip(b"\0")), below)


def test_slices_that_cover_a_large_picture_repeatedly_are_refused() -> None:
    """Each slice has a few bytes and costs seconds."""
    file, parameters, (above, middle, _) = in_three_slices()
    large = replace(file.header, width=6000, height=6000)

    with pytest.raises(CodecError, match="more slices"):
        bpg.decode(container.serialize(replace(file, header=large, nals=(parameters, above, *[middle] * 5))))


def test_sizes_claimed_by_a_header_allocate_no_memory() -> None:
    """The headers claim a gigabyte of extensions, of one extension, of HEVC header, and of picture data."""
    head = b"BPG\xfb\x60\x08\x04\x04"
    gigabyte = write_ue7(1 << 30)
    tracemalloc.start()

    for data in (
        head + gigabyte,
        head + b"\0" + gigabyte,
        head + b"\0\3\1" + gigabyte,
        b"BPG\xfb\x60\0\4\4\0" + gigabyte,
    ):
        with pytest.raises(CodecError):
            bpg.decode(data + bytes(100))

    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@repeatable
@given(st.binary(max_size=80))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    decode_or_refuse(data)
    decode_or_refuse(MAGIC + data)
    decode_or_refuse(b"BPG\xfb\x60\x00\x08\x08\x00\x03\x92\x47\x40\x44\x01\xc1\x71\x81\x12\0\0\1\x26\1" + data)


def flip_bits(data: bytearray, chance: random.Random, _: bytes) -> None:
    for _unused in range(chance.choice([1, 1, 2, 8])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def change_the_front(data: bytearray, chance: random.Random, _: bytes) -> None:
    data[chance.randrange(min(len(data), 40))] = chance.randrange(256)


def set_an_extreme(data: bytearray, chance: random.Random, _: bytes) -> None:
    data[chance.randrange(len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])


def cut_out(data: bytearray, chance: random.Random, _: bytes) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice([1, 2, 16, 1000])]


def insert(data: bytearray, chance: random.Random, other: bytes) -> None:
    start, size = chance.randrange(len(data)), chance.choice([1, 4, 30])
    source = chance.choice([other, bytes(data), b"\0\0\1\x26\1" + chance.randbytes(30)])
    data[start:start] = source[chance.randrange(len(source)) :][:size]


def splice(data: bytearray, chance: random.Random, other: bytes) -> None:
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


MUTATIONS = [flip_bits, change_the_front, set_an_extreme, cut_out, insert, splice]


def test_mutants_of_the_corpus_are_decoded_or_refused() -> None:
    corpus = [vector.data for vector in VALID + MALFORMED + REFUSED if vector.data]
    chance = random.Random(SEED)
    decoded = 0

    for number in range(MUTANTS):
        mutant = bytearray(corpus[number % len(corpus)])
        for mutate in chance.choices(MUTATIONS, k=chance.choice([1, 1, 2, 3])):
            if mutant:
                mutate(mutant, chance, chance.choice(corpus))
        decoded += decode_or_refuse(bytes(mutant)) is not None

    assert 0.02 * MUTANTS < decoded < 0.6 * MUTANTS  # the mutants are neither all absurd nor all harmless
