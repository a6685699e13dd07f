"""Arrays of sRGB colors: packing, checking and scaling."""

import numpy as np
import pytest

from models.rgb import ViewGeometry, check_pixels, pack, resize, resize_to, unpack


def test_a_color_is_a_number_of_six_hexadecimal_digits() -> None:
    colors = np.array([[0x12, 0x34, 0x56], [255, 255, 255], [0, 0, 1]], np.uint8)
    assert pack(colors).tolist() == [0x123456, 0xFFFFFF, 1]
    assert np.array_equal(unpack(pack(colors)), colors)


@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 4), (0, 2, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        check_pixels(np.zeros(shape, np.uint8))


def test_an_image_of_the_right_size_is_returned_as_it_is() -> None:
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    assert resize(pixels, 8) is pixels


def test_every_pixel_of_a_large_image_counts() -> None:
    """A fine checkerboard becomes gray; a filter that skips pixels would give black or white."""
    board = np.indices((512, 300)).sum(0) % 2 * np.uint8(255)
    scaled = resize(np.repeat(board[..., None], 3, 2).astype(np.uint8), 32)
    assert scaled.shape == (32, 32, 3)
    assert np.abs(scaled.astype(int) - 127).max() <= 4


@pytest.mark.parametrize(("crop", "box"), [(None, (0, 0, 80, 40)), (1.0, (20, 0, 60, 40)), (0.5, (30, 10, 50, 30))])
def test_a_view_shows_its_box(crop: float | None, box: tuple[int, int, int, int]) -> None:
    """The image is black but for the box, which is white: the view is white, but for the filter at the border."""
    geometry = ViewGeometry.of(16, crop, "lanczos")
    assert list(geometry.box(40, 80)) == list(box)
    left, top, right, bottom = map(int, box)
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[top:bottom, left:right] = 255
    view = geometry.view(pixels)
    assert view.shape == (16, 16, 3) and (view[3:-3, 3:-3] == 255).all()


def test_the_filter_of_a_view_is_bicubic_for_a_crop_unless_it_is_given() -> None:
    chosen = [ViewGeometry.of(16, crop, given).interpolation for crop in (None, 0.5) for given in (None, "lanczos")]
    assert chosen == ["bilinear", "lanczos", "bicubic", "lanczos"]


def test_filters_differ() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    bilinear, bicubic, lanczos = (
        ViewGeometry(16, 0.9, each).view(pixels).tobytes() for each in ("bilinear", "bicubic", "lanczos")
    )
    assert len({bilinear, bicubic, lanczos}) == 3


@pytest.mark.parametrize("size", [(40, 70), (20, 35), (3, 2), (80, 140)])
def test_an_image_is_scaled_to_any_height_and_width(size: tuple[int, int]) -> None:
    ramp = np.linspace(0, 255, 70).round().astype(np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (40, 70, 3)).copy()
    scaled = resize_to(image, *size)
    assert scaled.shape == (*size, 3)
    assert abs(float(scaled.mean()) - 127.5) < 2 and scaled[0, 0, 0] < scaled[-1, -1, 2]


def test_an_image_of_the_right_size_stays() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    assert resize_to(image, 4, 5) is image
