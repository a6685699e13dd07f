"""Latency of small requests to /quantize beside an endless stream of the largest photographs.

`tests.benchmarks.isolation` runs this part. Each turn measures small images of two sizes alone, then beside the stream.
One client sends the large photographs, the next one as soon as it has the result of the last one. All requests leave
the method to the service.
"""

import io
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx
import numpy as np
from PIL import Image

from tests.service.processes import ROOT

PHOTO = ROOT / "tests" / "photos" / "cat.jpg"
PATIENCE = 300.0  # seconds

LARGE = (8000, 6000)
SMALL: Mapping[str, tuple[int, int]] = {"32x32": (32, 32), "0.4 megapixels": (700, 600)}

_BAND = 256  # rows that get their noise at a time
_NOISE = 6  # levels; without it, an enlarged photograph has no detail


def measure(url: str, requests: int, turns: int) -> dict[str, Any]:
    """Measure milliseconds of small requests alone and beside the stream, their ratios, and the speed of the stream.

    requests: of each small size in each half of a turn, or more beside the stream, where they last for two large
    photographs at least.
    """
    small = {name: picture(*size) for name, size in SMALL.items()}
    large = picture(*LARGE)
    alone: dict[str, list[float]] = {name: [] for name in small}
    beside: dict[str, list[float]] = {name: [] for name in small}
    seconds: list[float] = []
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        for file in small.values():
            quantize(client, file)  # the first of each kind loads what it needs
        for _ in range(turns):
            for name, file in small.items():
                alone[name] += [quantize(client, file) for _ in range(requests)]
            with Stream(url, large) as stream:
                for name, file in small.items():
                    at_first = len(stream.seconds)
                    while len(beside[name]) < len(alone[name]) or len(stream.seconds) < at_first + 2:
                        stream.check()
                        beside[name].append(quantize(client, file))
            seconds += stream.seconds
    rows = [row(name, alone[name], beside[name]) for name in small]
    megapixels = LARGE[0] * LARGE[1] / 1e6
    speed = {"requests": len(seconds), "median_seconds": round(float(np.median(seconds)), 2)}
    speed["megapixels_per_second"] = round(megapixels * len(seconds) / sum(seconds), 1)
    return {"megapixels": megapixels, "upload_bytes": len(large), "stream": speed, "rows": rows}


def picture(width: int, height: int) -> bytes:
    """Return the photo of a cat in another size, with noise; as JPEG, and a tiny one as PNG."""
    with Image.open(PHOTO) as photo:
        pixels = np.array(photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    random = np.random.default_rng(0)
    for top in range(0, height, _BAND):
        band = pixels[top : top + _BAND]
        noisy = band.astype(np.int16) + random.integers(-_NOISE, _NOISE + 1, band.shape, dtype=np.int16)
        band[:] = noisy.clip(0, 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if width * height < 1 << 12 else "JPEG", quality=88)
    return buffer.getvalue()


def quantize(client: httpx.Client, file: bytes) -> float:
    """Return the milliseconds of a request to /quantize."""
    started = time.perf_counter()
    client.post("/quantize", content=file, params={"colors": "2"}).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def row(name: str, alone: Sequence[float], beside: Sequence[float]) -> dict[str, Any]:
    """Return the percentiles of the milliseconds, and their ratios."""
    times = {"alone": percentiles(alone), "beside": percentiles(beside)}
    counts = {"requests_alone": len(alone), "requests_beside": len(beside)}
    return {"request": name, **counts, "milliseconds": times, "ratio": ratios(times)}


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """Return p50 and p99 in milliseconds."""
    return {f"p{q}": round(float(np.percentile(times, q)), 1) for q in (50, 99)}


def ratios(times: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return each percentile beside the load, in percentiles alone."""
    return {name: round(times["beside"][name] / alone, 2) for name, alone in times["alone"].items()}


class Stream:
    """Context manager that sends one file after the other, until the block ends.

    seconds: of each request that has ended.
    """

    def __init__(self, url: str, file: bytes) -> None:
        self.seconds: list[float] = []
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)
        self._file = file
        self._ends = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ends.set()
        self._thread.join(PATIENCE)
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise the error of a request that failed."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with self._client:
                while not self._ends.is_set():
                    self.seconds.append(quantize(self._client, self._file) / 1000)
        except Exception as error:
            self._error = error
