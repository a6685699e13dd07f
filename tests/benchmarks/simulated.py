"""A simulated device: it takes the time of a small GPU and releases the GIL meanwhile.

Its results cost almost nothing, so that a benchmark measures the service around it.
"""

import time
from collections.abc import Sequence

import numpy as np

from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.rgb import Pixels
from service.inference.selection import Selection
from tests.benchmarks.batching import BATCH_MS, IMAGE_MS
from tests.service.fake_loader import CLASSES
from tests.service.fakes import NATIVE_SIZE, FakeEngine

_GRAYS = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)


class SimulatedEngine(FakeEngine):
    """Fake engine in which quantizing takes the time of the device, and everything else takes none."""

    batch_ms = BATCH_MS
    image_ms = IMAGE_MS

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        return self.quantize_batch([pixels], colors, selection)[0]

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        time.sleep((self.batch_ms + self.image_ms * len(images)) / 1000)
        step = -(-256 // colors)
        return [PaletteImage(pixels[..., 1] // step, _GRAYS[::step]) for pixels in images]

    def view(self, pixels: Pixels, classifier: str) -> Pixels:
        return pixels[:NATIVE_SIZE, :NATIVE_SIZE]

    def predict(self, views: Sequence[Pixels], top_k: int, classifier: str) -> list[tuple[Prediction, ...]]:
        return [tuple(Prediction(label, i, 1 / 3) for i, label in enumerate(CLASSES[:top_k])) for _ in views]
