"""Squares of photographs for training, with their palette and what they are without a change, made in processes."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from models.decoding.decode import decode
from models.quantizers.learned.mapping import Mapping
from models.quantizers.learned.refined import photograph_mapping
from models.rgb import Pixels
from training.data.datasets import DatasetError
from training.data.photographs import ENDINGS

_LEAST_PART = 0.7  # side of a square that is cut out, in shorter sides of the photograph


class Draw(NamedTuple):
    """What a sample is made from: a file, K, the side in pixels, whether errors are diffused, and a seed."""

    file: Path
    colors: int
    side: int
    diffused: bool
    seed: int


@dataclass(frozen=True, eq=False)
class PhotographSample:
    """A square of a photograph, (side, side, 3) uint8, its mapping to K colors, and the mapped square."""

    draw: Draw
    pixels: Pixels
    mapping: Mapping
    mapped: Pixels


def photograph_files(folder: Path) -> list[Path]:
    """Return every image file below a folder, in the order of their paths; raises DatasetError if there is none."""
    files = sorted(Path(root, name) for root, _, names in os.walk(folder, followlinks=True) for name in names)
    found = [file for file in files if file.suffix.lower() in ENDINGS]
    if not found:
        raise DatasetError(f"no image files in {folder}: give --data FOLDER with photographs, also in subfolders")
    return found


def sample(draw: Draw) -> PhotographSample:
    """Cut a random square out of a photograph, mirrored or not, and scale it to the side of the draw."""
    random = np.random.default_rng(draw.seed)
    pixels = decode(draw.file.read_bytes()).pixels
    height, width = pixels.shape[:2]
    part = random.uniform(_LEAST_PART, 1) * min(height, width)
    left, top = random.uniform(0, width - part), random.uniform(0, height - part)
    box = (left, top, left + part, top + part)
    square = Image.fromarray(pixels).resize((draw.side, draw.side), Image.Resampling.BICUBIC, box, reducing_gap=3)
    values = np.asarray(square)
    values = np.ascontiguousarray(values[:, ::-1]) if random.random() < 0.5 else values
    mapping = photograph_mapping(values, draw.colors, dither=draw.diffused)
    return PhotographSample(draw, values, mapping, mapping.map(values).render())


def batches(pool: ProcessPoolExecutor, draws: Iterable[list[Draw]], ahead: int = 4) -> Iterator[list[PhotographSample]]:
    """Yield the samples of batches of draws, made in a pool of processes up to `ahead` batches in advance."""
    waiting: deque[list[Future[PhotographSample]]] = deque()
    for batch in draws:
        waiting.append([pool.submit(sample, draw) for draw in batch])
        if len(waiting) > ahead:
            yield [future.result() for future in waiting.popleft()]
    while waiting:
        yield [future.result() for future in waiting.popleft()]
