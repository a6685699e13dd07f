"""One HEVC picture to planes and back: FFmpeg's decoder and x265, both inside PyAV, all in memory.

HEVC data from outside are hostile until shown otherwise. FFmpeg makes a picture of whatever it is given: it reads on
behind a slice that is cut short, and leaves blocks that no slice covers as the memory was. So each picture is decoded
twice: the second time into the inverse of the first, at the same place in memory, from slices that decode alike only
if they are whole. Any difference means that samples would come from elsewhere than the data, which are then refused.
Damage that leaves a whole picture goes unseen, as in most formats, unless there is a checksum.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError
from av.video.plane import VideoPlane

from models.codecs.bpg import nal_units, parameter_sets
from models.codecs.bpg.color import Plane
from models.codecs.bpg.nal_units import Nal, NalType
from models.codecs.bpg.parameter_sets import Shape, Tools
from models.errors import CodecError

DECODED_DEPTHS = (8, 9, 10, 12)
"""Bits of a sample that FFmpeg's decoder knows."""

_LAYOUTS = ("gray", "yuv420p", "yuv422p", "yuv444p")  # by chroma_format_idc
_CUT = "The BPG file is damaged or cut short: its HEVC data do not make one whole picture. Send the whole file."

_PRESET = "slow"  # a quarter faster than the slower ones, for the same bytes
_PARAMETERS = {
    "log-level": "none",
    # A stream of one intra picture, with its parameter sets before it and nothing else.
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
    # One thread: the caller encodes images side by side, and equal input gives equal bytes.
    "pools": "none",
    "frame-threads": 1,
    "wpp": 0,
    "pmode": 0,
    "pme": 0,
    # What a BPG reader assumes.
    "log2-max-poc-lsb": 8,
    "scaling-list": "off",
    # As small as can be at a given error, since nobody watches palettes: psy-rd would also change chroma's QP in 4:4:4.
    "aq-mode": 0,
    "psy-rd": 0,
    "psy-rdoq": 0,
    "ipratio": "1.0",  # or an intra picture would get a lower QP than asked for
    # Small blocks in long narrow pictures break the rules of the levels; BPG's level has none.
    "allow-non-conformance": 1,
}


def decode_picture(picture: Sequence[Nal], shape: Shape, tools: Tools) -> list[Plane]:
    """Decode the units of one intra picture: its PPS and slices, and what goes with them, but no VPS or SPS.

    Args:
        picture: the units, of which one at least is a slice.
        shape, tools: what its SPS says; FFmpeg allocates by it, so the caller limits the size.

    Returns:
        One plane or three, (h, w) of the coded picture, uint8 or, where the bit depth is more than 8, uint16.

    Raises:
        CodecError: the picture is damaged or incomplete, or needs more memory than there is.
    """
    sets = [parameter_sets.write_vps(), parameter_sets.write_sps(shape, tools)]
    last = max(at for at, nal in enumerate(picture) if nal.is_slice)
    probe = [_probe(nal, is_last=at == last) if nal.is_slice else nal for at, nal in enumerate(picture)]
    with _errors_explained("The BPG file is damaged: its HEVC data cannot be decoded."):
        context = av.CodecContext.create("hevc", "r")
        context.thread_count = 1
        context.options = {"err_detect": "explode+crccheck"}  # the latter compares checksums (SEI, clause D.3.19)
        frame = _decode(context, [*sets, *picture], shape)
        planes, places = [plane.copy() for plane in _planes(frame)], [plane.buffer_ptr for plane in frame.planes]
        for plane in _planes(frame):
            np.bitwise_xor(plane, (1 << shape.bit_depth) - 1, out=plane)
        # Given back, the memory is what the decoder takes for its next picture.
        del frame, plane
        context.flush_buffers()
        frame = _decode(context, [*sets, *probe], shape)
        if places != [plane.buffer_ptr for plane in frame.planes]:
            raise CodecError("The BPG file cannot be checked for being whole.")
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
        planes: one plane or three, (h, w) uint8, or uint16 where the bit depth is more than 8; where they are smaller
            than the coded picture, they go on at the right and below as they end.
        shape: of the coded picture, whose sides are multiples of `block` and at least 16.
        block: side of the smallest coding block, 8 or 16: one that the sides of the picture are multiples of.
        qp: quantization parameter, 0 to 51; None for lossless.
        transform_skip: whether small blocks may be coded without a transform (clause 7.4.9.11).

    Returns:
        What the SPS of the picture says, and its other units: PPS and slices.

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
            _pad(plane, padded)
        frame.pts = 0
        stream = b"".join(map(bytes, [*context.encode(frame), *context.encode(None)]))
    return _dismantle(stream, shape, block)


def _x265_parameters(shape: Shape, block: int, qp: int | None, transform_skip: bool) -> str:
    largest = max(side for side in (16, 32, 64) if side <= min(shape.width, shape.height))
    options = _PARAMETERS | {"min-cu-size": block, "ctu": largest, "max-tu-size": min(largest, 32)}
    options |= {"tskip": int(transform_skip)} | ({"lossless": 1} if qp is None else {"qp": qp})
    return ":".join(f"{name}={value}" for name, value in options.items())


def _pad(plane: Plane, padded: Plane) -> None:
    """Copy a plane into a larger one, whose other samples become like the nearest."""
    height, width = plane.shape
    padded[:height, :width] = plane
    padded[:height, width:] = plane[:, -1:]
    padded[height:] = padded[height - 1]


def _dismantle(stream: bytes, shape: Shape, block: int) -> tuple[Tools, list[Nal]]:
    """Split an encoder's stream of one picture into the fields of its SPS and the units that a BPG file keeps.

    Raises CodecError where there is anything that a BPG file cannot hold, so that nothing is lost unseen.
    """
    nals = list(nal_units.split(stream))
    kinds = [nal.type for nal in nals]
    if kinds[:3] != [NalType.VPS, NalType.SPS, NalType.PPS] or len(kinds) != 4 or kinds[3] not in nal_units.PICTURES:
        raise CodecError(f"The encoder's stream cannot become a BPG file: its units are of types {kinds}.")
    made, tools = parameter_sets.parse_sps(nals[1])
    if made != shape or 1 << tools.log2_min_block != block:
        raise CodecError(f"The encoder's stream cannot become a BPG file: it is of {made}, not {shape}.")
    return tools, nals[2:]


def _format(shape: Shape) -> str:
    """FFmpeg's name of the format of a picture."""
    return _LAYOUTS[shape.chroma_format] + (f"{shape.bit_depth}le" if shape.bit_depth > 8 else "")


def _planes(frame: av.VideoFrame) -> list[Plane]:
    """The planes of a frame, without copying: what is written to them is written to the frame."""
    wide = frame.format.components[0].bits > 8
    return [_samples(plane, wide).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]


def _samples(plane: VideoPlane, wide: bool) -> Plane:
    memory = memoryview(plane)  # with the padding of its lines
    return np.frombuffer(memory, np.uint16) if wide else np.frombuffer(memory, np.uint8)


@contextmanager
def _errors_explained(message: str) -> Iterator[None]:
    """Turn what PyAV raises on data that it cannot deal with into a CodecError, with the original as its cause."""
    try:
        yield
    except MemoryError as error:
        raise CodecError("The BPG image needs more memory than there is.") from error
    except (FFmpegError, ValueError, OSError) as error:  # PyAV's own are ValueError
        raise CodecError(message) from error
