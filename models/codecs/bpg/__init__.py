"""BPG, the image format of Fabrice Bellard around HEVC.

The reference decoder `bpgdec` reads each file of `encode` to exactly the pixels that `decode` returns.
"""

from models.codecs.bpg.codec import MAX_PIXELS, Chroma, Coding, Space, decode, fixed_bytes
from models.codecs.bpg.palette_modes import Encoded, Mode, encode, encode_as, read_index_plane

__all__ = [
    "MAX_PIXELS",
    "Chroma",
    "Coding",
    "Encoded",
    "Mode",
    "Space",
    "decode",
    "encode",
    "encode_as",
    "fixed_bytes",
    "read_index_plane",
]
