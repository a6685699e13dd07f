"""The search for colors and scale: what it returns, what it tries, and when it gives up."""

from dataclasses import dataclass

import anyio
import pytest

from service.errors import DoesNotFit
from service.inference.goals import Goals, GoalSearch, Trial, any_number


@dataclass(frozen=True)
class Outcome:
    trial: Trial
    size: int
    share: float

    @property
    def kept(self) -> bool:
        return self.share >= 0.5

    @property
    def colors(self) -> int:
        return self.trial.colors

    @property
    def scale(self) -> float:
        return self.trial.scale


class Image:
    """An image that keeps the label from `keeps` colors on, and needs ten bytes a color at full scale, flat half."""

    def __init__(self, keeps: int = 2, recognized: bool = True) -> None:
        self.keeps = keeps
        self.recognized = recognized
        self.tried: list[Trial] = []

    async def attempt(self, trial: Trial) -> Outcome:
        self.tried.append(trial)
        bytes_a_color = 5 if trial.flat else 10
        share = float(self.recognized and trial.colors >= self.keeps)
        return Outcome(trial, round(bytes_a_color * trial.colors * trial.scale**2) + 5, share)


def search(image: Image, goals: Goals, *, fewest: bool, scale: float = 1.0) -> Outcome:
    async def run() -> Outcome:
        return await GoalSearch(goals, image.attempt, scale).run(fewest=fewest)

    return anyio.run(run)


@pytest.mark.parametrize("keeps", [2, 3, 4, 5, 7, 31, 32, 33, 200, 255, 256])
def test_the_fewest_colors_that_keep_the_label_are_found(keeps: int) -> None:
    image = Image(keeps)
    assert search(image, Goals(any_number(), keep=0.99), fewest=True).colors == keeps
    assert len(image.tried) <= 16


def test_the_first_number_that_keeps_the_label_is_tried_once() -> None:
    image = Image()
    search(image, Goals(any_number(), keep=0.5), fewest=True)
    assert image.tried == [Trial(2, 1.0)]


def test_where_no_number_keeps_the_label_the_most_colors_are_returned_and_the_goal_is_missed() -> None:
    goals = Goals(any_number(), keep=0.5)
    best = search(Image(keeps=1000), goals, fewest=True)
    assert best.colors == 256
    assert goals.are_met(best) is False


@pytest.mark.parametrize("limit", [25, 26, 34, 35, 100, 2564, 2565])
def test_the_most_colors_that_fit_are_found(limit: int) -> None:
    best = search(Image(), Goals(any_number(), max_bytes=limit), fewest=False)
    assert best.colors == min(256, (limit - 5) // 10)
    assert best.size <= limit


def test_a_number_that_fits_is_not_changed() -> None:
    image = Image()
    assert search(image, Goals(any_number(8), max_bytes=1000), fewest=False).colors == 8
    assert len(image.tried) == 1


def test_flat_areas_are_tried_where_dither_does_not_fit() -> None:
    goals = Goals(any_number(), max_bytes=20, flat=True)
    assert search(Image(), goals, fewest=False).trial == Trial(3, 1.0, flat=True)
    with pytest.raises(DoesNotFit):
        search(Image(), Goals(any_number(), max_bytes=20), fewest=False)


def test_flat_areas_with_more_colors_are_returned_where_they_keep_the_label() -> None:
    goals = Goals(any_number(), max_bytes=35, flat=True)
    assert search(Image(keeps=5), goals, fewest=False).trial == Trial(6, 1.0, flat=True)
    assert search(Image(keeps=7), goals, fewest=False).colors in (3, 6)


def test_fewer_colors_than_keep_the_label_are_returned_where_only_they_fit() -> None:
    goals = Goals(any_number(), keep=0.5, max_bytes=55)
    best = search(Image(keeps=9), goals, fewest=True)
    assert best.colors == 5
    assert goals.are_met(best) is False


def test_without_a_goal_nothing_is_met_or_missed() -> None:
    goals = Goals(any_number(4))
    assert goals.are_met(search(Image(), goals, fewest=False)) is None


def test_a_file_that_fits_at_no_number_of_colors_is_an_error_that_names_its_size() -> None:
    with pytest.raises(DoesNotFit, match="25 bytes, more than max_bytes=24"):
        search(Image(), Goals(any_number(), max_bytes=24), fewest=False)


def test_the_image_is_scaled_down_until_it_fits() -> None:
    best = search(Image(), Goals((2,), max_bytes=10, scales=True), fewest=False)
    assert best.size <= 10
    assert 0.4 < best.scale < 0.53  # 20 * 0.52 ** 2 + 5 = 10.4


def test_among_scaled_images_the_one_that_keeps_most_of_the_label_is_returned() -> None:
    best = search(Image(keeps=8), Goals(any_number(), max_bytes=20, scales=True), fewest=False)
    assert best.colors in (8, 16)
    assert best.size <= 20


def test_without_a_classifier_the_scaled_image_with_the_largest_file_is_returned() -> None:
    image = Image(recognized=False)
    assert 16 <= search(image, Goals(any_number(), max_bytes=20, scales=True), fewest=False).size <= 20


def test_a_limit_below_every_file_is_an_error_also_at_any_scale() -> None:
    with pytest.raises(DoesNotFit, match="No picture fits into max_bytes=5"):
        search(Image(), Goals(any_number(4), max_bytes=5, scales=True), fewest=False)


def test_the_search_begins_at_the_scale_of_the_request() -> None:
    image = Image()
    assert search(image, Goals(any_number(4), max_bytes=1000), fewest=False, scale=0.5).scale == 0.5
    assert {trial.scale for trial in image.tried} == {0.5}
