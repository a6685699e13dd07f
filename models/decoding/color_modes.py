"""The three Pillow modes that decoded colors pass through: L, RGB and CMYK."""

from PIL import Image

_GRAY_MODES = frozenset({"1", "L", "LA", "La"})


def color_mode(image: Image.Image) -> str:
    """Return L, RGB or CMYK: the mode of the colors of `image` without palette, alpha and rarer color spaces."""
    if image.mode in _GRAY_MODES:
        return "L"
    return "CMYK" if image.mode == "CMYK" else "RGB"


def to_color_mode(image: Image.Image) -> Image.Image:
    """Return the colors of `image` in the mode that `color_mode` names, without alpha."""
    mode = color_mode(image)
    return image if image.mode == mode else image.convert(mode)
