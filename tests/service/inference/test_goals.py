"""The search for colors and scale: what it returns, what it tries, and when it gives up."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio
import pytest

from service.errors import DoesNotFit
from service.inference.goals import Goals, GoalSearch, Trial, _between, _worth, any_number


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
    """An image that keeps the label from `keeps` colors on, and needs ten bytes a color at full scale.

    Flat it needs half of them, smoothed a fifth.
    """

    def __init__(self, keeps: int = 2, recognized: bool = True) -> None:
        self.keeps = keeps
        self.recognized = recognized
        self.tried: list[Trial] = []

    async def attempt(self, trial: Trial) -> Outcome:
        self.tried.append(trial)
        bytes_a_color = 5 if trial.flat else 2 if trial.smooth else 10
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


def test_the_fewest_colors_are_smoothed_where_they_do_not_fit() -> None:
    goals = Goals(any_number(), max_bytes=24, smooths=True)
    assert search(Image(), goals, fewest=False).trial == Trial(2, 1.0, smooth=True)
    assert not search(Image(), replace(goals, max_bytes=25), fewest=False).trial.smooth
    with pytest.raises(DoesNotFit, match="9 bytes, more than max_bytes=8"):
        search(Image(), replace(goals, max_bytes=8), fewest=False)


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


class Measured(Image):
    """An image whose sizes are given by colors and scale."""

    def __init__(self, size: Callable[[Trial], int], share: Callable[[Trial], float] = lambda _: 1.0) -> None:
        super().__init__()
        self._size, self._share = size, share

    async def attempt(self, trial: Trial) -> Outcome:
        self.tried.append(trial)
        return Outcome(trial, self._size(trial), self._share(trial))


@pytest.mark.parametrize(
    ("size", "share", "met"), [(10, 0.7, True), (11, 0.7, False), (10, 0.69, False), (11, 0, False)]
)
def test_goals_are_met_at_their_exact_limits(size: int, share: float, met: bool) -> None:
    outcome = Outcome(Trial(2, 1.0), size, share)

    assert Goals((2,), keep=0.7, max_bytes=10).are_met(outcome) is met
    assert Goals((2,), keep=0.7).are_met(outcome) is (share >= 0.7)
    assert Goals((2,), max_bytes=10).are_met(outcome) is (size <= 10)


def test_a_share_without_the_label_keeps_nothing() -> None:
    assert not Goals((2,), keep=0.25).keeps(Outcome(Trial(2, 1.0), 9, 0.4))  # whose label is lost below one half
    assert Goals((2,)).keeps(Outcome(Trial(2, 1.0), 9, 0.0))


def test_any_number_begins_at_two_and_ends_at_the_most() -> None:
    assert list(any_number(4)) == [2, 3, 4]
    assert (any_number()[0], any_number()[-1]) == (2, 256)


def test_the_search_for_the_fewest_doubles_and_then_halves() -> None:
    image = Image(keeps=11)
    search(image, Goals(any_number(), keep=0.5), fewest=True)

    assert [trial.colors for trial in image.tried] == [2, 4, 8, 16, 12, 10, 11]


def test_the_search_for_the_most_colors_halves() -> None:
    image = Image()
    search(image, Goals(any_number(16), max_bytes=95), fewest=False)

    assert [trial.colors for trial in image.tried] == [16, 2, 9, 13, 11, 10]
    assert not any(trial.flat for trial in image.tried)


def test_flat_areas_are_tried_only_where_the_goals_allow_them() -> None:
    image = Image()
    search(image, Goals(any_number(8), max_bytes=50, flat=True), fewest=False)

    assert [(trial.colors, trial.flat) for trial in image.tried if trial.colors == 2] == [(2, False), (2, True)]
    assert max(trial.colors for trial in image.tried if trial.flat) == 8


@pytest.mark.parametrize("most", [1, 3, 5, 16, 17])
def test_scaled_images_are_tried_in_powers_of_two_up_to_16_colors(most: int) -> None:
    image = Measured(lambda trial: round(1000 * trial.scale**2) + 6)
    search(image, Goals(range(2, most + 1) if most > 1 else (7,), max_bytes=100, scales=True), fewest=False)

    scaled = {trial.colors for trial in image.tried if trial.scale < 1}
    assert scaled == ({each for each in (2, 4, 8, 16) if each <= most} if most > 1 else {7})


def test_the_first_scale_is_the_one_at_which_bytes_would_fit() -> None:
    image = Measured(lambda trial: round(1000 * trial.scale**2 * math.log2(trial.colors)))
    best = search(image, Goals((4,), max_bytes=500, scales=True), fewest=False)

    assert [trial.scale for trial in image.tried] == [1.0, 1.0, pytest.approx(0.5)]
    assert best.trial == image.tried[-1]  # which is full


def test_the_first_scale_counts_the_bits_of_an_index() -> None:
    image = Measured(lambda trial: round(1000 * trial.scale**2 * math.log2(trial.colors)))
    search(image, Goals((2, 16), max_bytes=250, scales=True), fewest=False)

    assert [trial.colors for trial in image.tried[2:]] == [2, 16]
    assert [trial.scale for trial in image.tried[2:]] == pytest.approx([0.5, 0.25])


def test_the_scale_of_the_request_is_the_largest() -> None:
    image = Measured(lambda trial: round(4000 * trial.scale**2))
    best = search(image, Goals((2,), max_bytes=250, scales=True), fewest=False, scale=0.5)

    assert image.tried[0].scale == 0.5
    assert 0.9 * 250 <= best.size <= 250
    assert all(trial.scale <= 0.5 for trial in image.tried)


@pytest.mark.parametrize(("used", "tries"), [(0.9, 1), (0.89, 6)])
def test_the_search_over_scales_ends_where_nine_tenths_are_used(used: float, tries: int) -> None:
    """A file that stays small however large the image is."""
    image = Measured(lambda trial: 1000 if trial.scale == 1 else round(100 * used))
    search(image, Goals((2,), max_bytes=100, scales=True), fewest=False)

    assert len(image.tried) - 2 == tries  # the first two are at the whole image


def test_the_search_over_scales_gives_up_below_one_in_256() -> None:
    image = Measured(lambda trial: 10**9)
    with pytest.raises(DoesNotFit, match="No picture fits into max_bytes=7; raise it"):
        search(image, Goals((2,), max_bytes=7, scales=True), fewest=False)

    assert len(image.tried) == 2  # at the whole image, the guess being far smaller


def test_a_limit_without_scales_names_the_smallest_file() -> None:
    image = Measured(lambda trial: 100 if trial.flat else 120)
    with pytest.raises(DoesNotFit, match=r"The smallest file has 100 bytes, more than max_bytes=99\. Raise"):
        search(image, Goals(any_number(), max_bytes=99, flat=True), fewest=False)


@pytest.mark.parametrize(
    ("guess", "inside"), [(0.5, 0.5), (0.0, 0.325), (0.3, 0.325), (0.325, 0.325), (0.475, 0.475), (0.6, 0.475)]
)
def test_a_guess_stays_an_eighth_inside(guess: float, inside: float) -> None:
    low, high = (0.3, 0.5) if guess != 0.5 else (0.3, 0.8)

    assert _between(low, high, guess) == pytest.approx(inside)


@pytest.mark.parametrize(
    ("better", "worse"), [((5, 0.6), (9, 0.4)), ((5, 0.9), (9, 0.8)), ((9, 1.5), (5, 1.2)), ((9, 1.0), (5, 1.3))]
)
def test_the_label_counts_first_then_its_probability_up_to_the_whole_then_bytes(
    better: tuple[int, float], worse: tuple[int, float]
) -> None:
    first, second = (Outcome(Trial(2, 1.0), *each) for each in (better, worse))

    assert _worth(first) > _worth(second)


def test_the_defaults_are_the_whole_image_with_dither() -> None:
    image = Image()
    anyio.run(lambda: GoalSearch(Goals((2,)), image.attempt).run(fewest=False))

    assert image.tried == [Trial(2, 1.0, flat=False)]
    assert (Goals((2,)).flat, Goals((2,)).scales, Trial(2, 1.0).flat) == (False, False, False)
