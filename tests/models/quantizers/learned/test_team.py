"""models/quantizers/learned/team.py: parts of a batch in threads of their own."""

import threading

import numpy as np
import pytest
import torch

from models.quantizers.learned import team
from models.rgb import Pixels


def images(count: int) -> Pixels:
    return np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)


@pytest.mark.parametrize(("threads", "count", "parts"), [(1, 64, 1), (2, 31, 1), (2, 32, 2), (2, 65, 2), (8, 50, 3)])
def test_each_thread_has_a_part_in_the_order_of_the_images(
    threads: int, count: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    sizes = []

    def work(part: Pixels) -> list[int]:
        sizes.append(len(part))
        return part.ravel().tolist()

    assert team.in_parts(work, images(count)) == list(range(count))
    assert len(sizes) == parts
    assert max(sizes) - min(sizes) <= 1


def test_a_thread_of_the_team_computes_with_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    if before < 2:
        pytest.skip("torch has a single thread")
    counts, waiting = [], threading.Barrier(before)

    def work(part: Pixels) -> list[int]:
        waiting.wait(10)  # all threads at once
        counts.append(torch.get_num_threads())
        return [0] * len(part)

    monkeypatch.setattr(team, "_LEAST_IMAGES", 1)
    team.in_parts(work, images(before))
    assert counts == [1] * before
    assert torch.get_num_threads() == before


def test_an_error_of_a_part_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def work(part: Pixels) -> list[int]:
        if part[0] > 0:
            raise ValueError("the second half")
        return [0] * len(part)

    with pytest.raises(ValueError, match="the second half"):
        team.in_parts(work, images(40))
