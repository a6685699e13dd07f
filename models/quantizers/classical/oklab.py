"""OKLab, a color space in which equal distances look about equally different.

Both matrices are from Björn Ottosson, "A perceptual color space for image processing", 2020
(https://bottosson.github.io/posts/oklab/). The transfer function is the one of sRGB, IEC 61966-2-1.
"""

import numpy as np
from numpy.typing import NDArray

_LMS_OF_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB_OF_LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_RGB_OF_LMS = np.linalg.inv(_LMS_OF_RGB)
_LMS_OF_LAB = np.linalg.inv(_LAB_OF_LMS)

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)


def from_srgb(colors: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert (N, 3) uint8 sRGB to (N, 3) float64 OKLab: L is 0 to 1, a and b are about -0.4 to 0.4."""
    lab: NDArray[np.float64] = np.cbrt(_LINEAR[colors] @ _LMS_OF_RGB.T) @ _LAB_OF_LMS.T
    return lab


def to_srgb(colors: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Convert (N, 3) float64 OKLab to (N, 3) uint8 sRGB, rounded; colors outside sRGB are clipped."""
    linear = np.clip((colors @ _LMS_OF_LAB.T) ** 3 @ _RGB_OF_LMS.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    srgb: NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    return srgb
