"""The icon is a small ICO file of few colors."""

import io

from PIL import Image

from service.api.icon import draw_icon


def test_the_icon_has_three_sizes_and_four_colors() -> None:
    data = draw_icon()

    assert len(data) < 2048
    with Image.open(io.BytesIO(data)) as icon:
        assert icon.format == "ICO"
        assert icon.info["sizes"] == {(16, 16), (32, 32), (48, 48)}
        colors = {color for _, color in icon.convert("RGBA").getcolors() or []}
    transparent = (0, 0, 0, 0)
    assert transparent in colors and len(colors - {transparent}) == 4


def test_the_icon_is_the_same_in_every_process() -> None:
    assert draw_icon() == draw_icon()


def test_the_icon_has_the_colors_of_the_page() -> None:
    with Image.open(io.BytesIO(draw_icon())) as icon:
        pixels = icon.convert("RGBA")
    shown = {
        name: pixels.getpixel(at) for name, at in {"R": (15, 3), "O": (39, 9), "P": (3, 27), "B": (33, 33)}.items()
    }

    assert shown == {
        "R": (224, 82, 74, 255),
        "O": (245, 166, 35, 255),
        "P": (88, 80, 214, 255),
        "B": (20, 160, 170, 255),
    }
    assert pixels.getpixel((0, 0)) == pixels.getpixel((27, 21)) == (0, 0, 0, 0)
