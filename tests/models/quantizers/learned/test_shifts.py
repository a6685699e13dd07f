"""models/quantizers/learned/shifts.py: views of shifted and mirrored images, and back."""

import pytest
import torch

from models.quantizers.learned.shifts import Shift, towards_corners


def test_a_view_shows_the_pixels_at_their_new_places() -> None:
    image = torch.arange(25.0).view(1, 1, 5, 5)
    down = Shift(mirrored=False, down=2, right=1).of(image)[0, 0]
    assert torch.equal(down[2:, 1:], image[0, 0, :3, :4])
    assert down[1].tolist()[1:] == image[0, 0, 1, :4].tolist()  # reflected at the border, whose row is not repeated
    assert torch.equal(Shift(mirrored=True, down=2, right=1).of(image)[0, 0], down.flip(1))


@pytest.mark.parametrize("shift", towards_corners((2,)))
def test_undone_everything_is_at_the_places_of_the_image(shift: Shift) -> None:
    image = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    back = shift.undo(shift.of(image))
    inside = slice(2, -2)
    assert back.shape == image.shape
    assert torch.equal(back[..., inside, inside], image[..., inside, inside])
    assert not torch.equal(shift.of(image), image)


def test_no_two_views_are_alike() -> None:
    image = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    views = [shift.of(image) for shift in towards_corners((2, 1))]
    assert len(views) == 16
    assert not any(torch.equal(a, b) for i, a in enumerate(views) for b in views[:i])
