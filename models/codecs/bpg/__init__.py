"""BPG, Fabrice Bellard's image format around HEVC: files that `bpgdec` reads to the very pixels that `decode` gives."""

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
