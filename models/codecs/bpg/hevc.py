"""HEVC coding of one picture: planes to NAL units with x265, and back with FFmpeg, both through PyAV in memory.

HEVC data from outside are not trusted. FFmpeg returns a picture for any data: it reads past the end of a truncated
slice, and leaves blocks that no slice covers as uninitialized memory. So `decode_picture` decodes each picture twice.
The second run starts from the inverse of the first result in the same memory. It decodes modified slices, which yield
the same samples only if the original slices are whole. A difference proves that samples came from outside the data, so
the data are rejected.

As in most formats, damage that leaves a whole picture is not detected unless the file has a checksum.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError
from av.video.plane import VideoPlane

from models.codecs.bpg import nal_units, parameter_sets
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.color import Plane
from models.codecs.bpg.nal_units import Nal, NalType
from models.codecs.bpg.parameter_sets import Shape
from models.errors import CodecError

DECODED_DEPTHS = (8, 9, 10, 12)
"""Bits of a sample that the decoder of FFmpeg supports."""

_LAYOUTS = ("gray", "yuv420p", "yuv422p", "yuv444p")  # indexed by chroma_format_idc
_CUT = "The BPG file is damaged or cut short: its HEVC data do not form one whole picture. Send the whole file."

_PRESET = "slow"  # a quarter faster than the slower presets, for the same bytes
_PARAMETERS = {
    "log-level": "none",
    # The stream holds one intra picture behind its parameter sets, and nothing else.
    "annexb": 1,
    "repeat-headers": 1,
    "info": 0,
    "aud": 0,
    "hrd": 0,
    "keyint": 1,
    "min-keyint": 1,
    "bframes": 0,
    "b-adapt": 0,
    "ref": 1,
    "open-gop": 0,
    "rc-lookahead": 0,
    "lookahead-slices": 0,
    "scenecut": 0,
    "cutree": 0,
    # One thread: the caller encodes several images at once, and equal input gives equal bytes.
    "pools": "none",
    "frame-threads": 1,
    "wpp": 0,
    "pmode": 0,
    "pme": 0,
    # Values that a BPG decoder assumes.
    "log2-max-poc-lsb": 8,
    "scaling-list": "off",
    # The fewest bytes at a given error, without psychovisual tuning; psy-rd would also change the chroma QP in 4:4:4.
    "aq-mode": 0,
    "psy-rd": 0,
    "psy-rdoq": 0,
    "ipratio": "1.0",  # otherwise an intra picture gets a lower QP than requested
    # Small blocks in long narrow pictures violate the limits of the levels; the level of BPG has no limits.
    "allow-non-conformance": 1,
}


def decode_picture(picture: Sequence[Nal], shape: Shape, tools: Tools) -> list[Plane]:
    """Decode one intra picture.

    Args:
        picture: the units of the picture without VPS and SPS, at least one of them a slice.
        shape, tools: the fields of the SPS. FFmpeg allocates memory by `shape`, so the caller limits the size.

    Returns:
        One plane or three, (h, w) of the coded picture, uint8, or uint16 where the bit depth is more than 8.

    Raises:
        CodecError: the picture is damaged or incomplete, or needs more memory than is available.
    """
    sets = [parameter_sets.write_vps(), parameter_sets.write_sps(shape, tools)]
    last = max(at for at, nal in enumerate(picture) if nal.is_slice)
    probe = [_probe(nal, is_last=at == last) if nal.is_slice else nal for at, nal in enumerate(picture)]
    with _errors_explained("The BPG file is damaged: its HEVC data cannot be decoded."):
        context = av.CodecContext.create("hevc", "r")
        context.thread_count = 1
        context.options = {"err_detect": "explode+crccheck"}  # crccheck compares checksums (SEI, clause D.3.19)
        frame = _decode(context, [*sets, *picture], shape)
        planes = [plane.copy() for plane in _planes(frame)]
        addresses = [plane.buffer_ptr for plane in frame.planes]
        for plane in _planes(frame):
            np.bitwise_xor(plane, (1 << shape.bit_depth) - 1, out=plane)
        # The decoder reuses the memory that is released here for its next picture.
        del frame, plane
        context.flush_buffers()
        frame = _decode(context, [*sets, *probe], shape)
        if addresses != [plane.buffer_ptr for plane in frame.planes]:
            raise CodecError("The BPG file cannot be checked for completeness.")
        if not all(map(np.array_equal, planes, _planes(frame))):
            raise CodecError(_CUT)
    return planes


def _probe(part: Nal, *, is_last: bool) -> Nal:
    return nal_units.probe(part) if is_last else nal_units.with_filler(part)


def _decode(context: av.VideoCodecContext, stream: Sequence[Nal], shape: Shape) -> av.VideoFrame:
    packet = av.Packet(nal_units.byte_stream(stream))
    frames = context.decode(packet) + context.decode(None)
    expected = (shape.width, shape.height, _format(shape))
    if [(frame.width, frame.height, frame.format.name) for frame in frames] != [expected]:
        raise CodecError(_CUT)
    return frames[0]


def encode_picture(
    planes: Sequence[Plane], shape: Shape, block: int, *, qp: int | None, transform_skip: bool
) -> tuple[Tools, list[Nal]]:
    """Encode planes as one intra picture.

    Args:
        planes: one plane or three, (h, w) uint8, or uint16 where the bit depth is more than 8. Where a plane is
            smaller than the coded picture, its last column and row are repeated.
        shape: shape of the coded picture, whose sides are multiples of `block` and at least 16.
        block: side of the smallest coding block, 8 or 16.
        qp: quantization parameter, 0 to 51; None for lossless.
        transform_skip: whether small blocks may be coded without a transform (clause 7.4.9.11).

    Returns:
        The fields of the SPS of the picture, and the units behind it: PPS and slice.

    Raises:
        CodecError: the picture is larger than x265 or memory allow.
    """
    with _errors_explained("The image is too large to be encoded as BPG."):
        context = av.CodecContext.create("libx265", "w")
        context.width, context.height, context.pix_fmt = shape.width, shape.height, _format(shape)
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.thread_count = 1
        parameters = _x265_parameters(shape, block, qp, transform_skip)
        context.options = {"preset": _PRESET, "tune": "psnr", "x265-params": parameters}
        frame = av.VideoFrame(shape.width, shape.height, _format(shape))
        for plane, padded in zip(planes, _planes(frame), strict=True):
            _fill(padded, plane)
        frame.pts = 0
        stream = b"".join(map(bytes, [*context.encode(frame), *context.encode(None)]))
    return _dismantle(stream, shape, block)


def _x265_parameters(shape: Shape, block: int, qp: int | None, transform_skip: bool) -> str:
    largest = max(side for side in (16, 32, 64) if side <= min(shape.width, shape.height))
    options = _PARAMETERS | {"min-cu-size": block, "ctu": largest, "max-tu-size": min(largest, 32)}
    options |= {"tskip": int(transform_skip)} | ({"lossless": 1} if qp is None else {"qp": qp})
    return ":".join(f"{name}={value}" for name, value in options.items())


def _fill(padded: Plane, plane: Plane) -> None:
    """Copy a plane into a larger one, and repeat its last column and row there."""
    height, width = plane.shape
    padded[:height, :width] = plane
    padded[:height, width:] = plane[:, -1:]
    padded[height:] = padded[height - 1]


def _dismantle(stream: bytes, shape: Shape, block: int) -> tuple[Tools, list[Nal]]:
    """Split the stream of one encoded picture into the fields of its SPS and the units that a BPG file keeps.

    Raises:
        CodecError: the stream holds anything that a BPG file would lose.
    """
    nals = list(nal_units.split(stream))
    kinds = [nal.type for nal in nals]
    if kinds[:3] != [NalType.VPS, NalType.SPS, NalType.PPS] or len(kinds) != 4 or kinds[3] not in nal_units.PICTURES:
        raise CodecError(f"The encoder's stream cannot become a BPG file: its units are of types {kinds}.")
    actual, tools = parameter_sets.parse_sps(nals[1])
    if actual != shape or 1 << tools.log2_min_block != block:
        raise CodecError(f"The encoder's stream cannot become a BPG file: it has {actual}, not {shape}.")
    return tools, nals[2:]


def _format(shape: Shape) -> str:
    """Return the name of a pixel format in FFmpeg."""
    return _LAYOUTS[shape.chroma_format] + (f"{shape.bit_depth}le" if shape.bit_depth > 8 else "")


def _planes(frame: av.VideoFrame) -> list[Plane]:
    """Return the planes of a frame as views of its memory."""
    wide = frame.format.components[0].bits > 8
    return [_samples(plane, wide).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]


def _samples(plane: VideoPlane, wide: bool) -> Plane:
    memory = memoryview(plane)  # includes the padding of the lines
    return np.frombuffer(memory, np.uint16) if wide else np.frombuffer(memory, np.uint8)


@contextmanager
def _errors_explained(message: str) -> Iterator[None]:
    """Convert an exception of PyAV to a CodecError with `message`, with the original as its cause."""
    try:
        yield
    except MemoryError as error:
        raise CodecError("The BPG image needs more memory than is available.") from error
    except (FFmpegError, ValueError, OSError) as error:  # PyAV itself raises ValueError
        raise CodecError(message) from error
