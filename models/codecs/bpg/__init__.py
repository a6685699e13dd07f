"""BPG, Fabrice Bellard's image format around HEVC: files that `bpgdec` reads to the very pixels that `decode` gives."""

from models.codecs.bpg.codec import MAX_PIXELS, Chroma, Space, decode, fixed_bytes
from models.codecs.bpg.palette_modes import Mode, encode, read_index_plane

__all__ = ["MAX_PIXELS", "Chroma", "Mode", "Space", "decode", "encode", "fixed_bytes", "read_index_plane"]
