"""Color spaces that a PNG states by numbers, as ICC profiles: gAMA with cHRM, and cICP.

Specifications: "Portable Network Graphics (PNG) Specification (Third Edition)", W3C 2025, clause 11.3.2; ITU-T H.273
for the code points of cICP.
"""

import struct
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue, in the order of cHRM."""

_Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]

SRGB_PRIMARIES: Chromaticities = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SRGB_GAMMA = 1 / 2.2

_TOLERANCE = 0.05  # of gamma: libpng and viewers correct no smaller difference
_CHROMATICITY_TOLERANCE = 0.005
_POINTS = 1024  # of a curve in a profile

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

PRIMARIES: Mapping[int, Chromaticities] = {
    1: SRGB_PRIMARIES,
    4: (0.31, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.3127, 0.329, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (0.3127, 0.329, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (0.3127, 0.329, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
"""Chromaticities by the code points of H.273, table 2."""

_SRGB_TRANSFERS = frozenset({1, 6, 13, 14, 15})  # viewers show BT.709 and its relatives like sRGB


def profile_of_gamma(gamma: float, primaries: Chromaticities | None, *, gray: bool) -> bytes | None:
    """Return the profile of an image whose samples are light to the power `gamma`; None where that is about sRGB.

    Raises:
        ValueError: no color space has these chromaticities.
    """
    primaries = primaries or SRGB_PRIMARIES
    usual = max(abs(a - b) for a, b in zip(primaries, SRGB_PRIMARIES, strict=True)) < _CHROMATICITY_TOLERANCE
    if abs(gamma / _SRGB_GAMMA - 1) < _TOLERANCE and (usual or gray):
        return None
    return _profile(primaries, lambda level: level ** (1 / gamma), gray=gray)


def profile_of_code_points(primaries: int, transfer: int, *, gray: bool) -> bytes | None:
    """Return the profile of a color space of H.273; None for sRGB.

    Raises:
        ValueError: the code points are reserved, or none that PNG images use.
    """
    curves: dict[int, _Curve] = {
        4: lambda level: level**2.2,
        5: lambda level: level**2.8,
        8: lambda level: level,
        **dict.fromkeys(_SRGB_TRANSFERS, _srgb),
    }
    if primaries not in PRIMARIES or transfer not in curves:
        raise ValueError(f"no color space for primaries {primaries} and transfer function {transfer}")
    if (primaries == 1 or gray) and transfer in _SRGB_TRANSFERS:
        return None
    return _profile(PRIMARIES[primaries], curves[transfer], gray=gray)


def _srgb(level: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _profile(primaries: Chromaticities, curve: _Curve, *, gray: bool) -> bytes:
    """Return an ICC profile of version 2 (ICC.1:2001-04, clause 6) with one curve for all channels."""
    light = np.clip(curve(np.linspace(0, 1, _POINTS)), 0, 1)
    points = np.rint(65535 * light).astype(">u2").tobytes()
    tone = b"curv\0\0\0\0" + struct.pack(">I", _POINTS) + points
    if gray:
        return _assemble(b"GRAY", {b"wtpt": _xyz(_D50), b"kTRC": tone})
    columns = rgb_to_xyz(primaries)
    tags = {
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(columns[:, 0]),
        b"gXYZ": _xyz(columns[:, 1]),
        b"bXYZ": _xyz(columns[:, 2]),
    }
    return _assemble(b"RGB ", tags | {b"rTRC": tone, b"gTRC": tone, b"bTRC": tone})


def rgb_to_xyz(primaries: Chromaticities) -> npt.NDArray[np.float64]:
    """Return XYZ of red, green and blue as columns, (3, 3), adapted to D50 by Bradford's transform.

    Raises:
        ValueError: no color space has these chromaticities.
    """
    points = np.array(primaries).reshape(4, 2)
    if points[:, 1].min() <= 0 or points.min() < 0 or points.sum(axis=1).max() > 1.0001:
        raise ValueError("these chromaticities are of no color")
    xyz = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]
    white, colors = xyz[:, 0], xyz[:, 1:]
    if abs(np.linalg.det(colors)) < 1e-3:
        raise ValueError("the three primaries lie on a line")
    scaled = colors * np.linalg.solve(colors, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: npt.NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ scaled
    return adapted


def _xyz(values: Sequence[float] | npt.NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _assemble(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for signature, content in tags.items():
        table += signature + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4xBBxx4s4s4s", start + len(body), 2, 0x10, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s28x", 2026, 1, 1, 0, 0, 0, b"acsp") + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + table + body
