"""A classifier behind an interface of pixels and labels, for images of any size."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import NotFinite, UnknownModel
from models.networks.cam import class_activation_maps
from models.networks.classifiers import Classifier
from models.networks.folding import fold_batch_norm
from models.networks.program import Program
from models.networks.recognition import RecognitionNetwork
from models.prediction import Prediction
from models.rgb import Interpolation, Pixels, ViewGeometry
from models.zoo.registry import Registry

_RECENT = 16  # views whose logits are kept, 4 kB each with 1,000 classes


class RecentLogits:
    """Logits of the views that were asked for last, by the pixels of the view. Threads may share it."""

    def __init__(self) -> None:
        self._logits: dict[bytes, Tensor] = {}
        self._lock = threading.Lock()

    def get(self, view: Pixels) -> Tensor | None:
        """Return the logits of a view, (1, classes), if they are kept."""
        return self._logits.get(_digest(view)) if self._logits else None

    def setdefault(self, view: Pixels, compute: Callable[[], Tensor]) -> Tensor:
        """Return the logits of a view, (1, classes), which are computed if they are not kept."""
        digest = _digest(view)
        logits = self._logits.get(digest)
        if logits is None:
            logits = compute()
            with self._lock:
                self._logits[digest] = logits
                while len(self._logits) > _RECENT:
                    del self._logits[next(iter(self._logits))]
        return logits


@dataclass(frozen=True, eq=False)
class Recognizer:
    """Classifies images with a frozen network; an image is first scaled to the network's input size.

    network: in eval mode, on `device`; `network(images)` is differentiable in the images. classes: labels in the order
    of the logits. crop: share of the shorter side that the network sees, as a central square; None where it sees the
    whole image, squeezed to a square. interpolation: filter of the scaling; None for bicubic with `crop`, else
    bilinear.
    """

    network: RecognitionNetwork
    classes: tuple[str, ...]
    device: torch.device
    crop: float | None = None
    interpolation: Interpolation | None = None
    _known: RecentLogits = field(default_factory=RecentLogits, init=False, repr=False)

    @property
    def size(self) -> int:
        """Side of the square images that the network takes, in pixels."""
        return self.network.size

    @property
    def views(self) -> ViewGeometry:
        """What the network sees of an image, and how it is scaled."""
        return ViewGeometry.of(self.size, self.crop, self.interpolation)

    @property
    def supports_maps(self) -> bool:
        """Whether the network has activation maps."""
        return self.network.supports_maps

    def view(self, pixels: Pixels) -> Pixels:
        """Scale what the network sees to its input: (H, W, 3) uint8 sRGB -> (size, size, 3)."""
        return self.views.view(pixels)

    def predict(self, pixels: Pixels, top_k: int = 1) -> tuple[Prediction, ...]:
        """Return the `top_k` most probable classes of an image, best first, or all classes if there are fewer.

        pixels: (H, W, 3) uint8 sRGB. Raises NotFinite for probabilities that are not finite.
        """
        return self.rank_batch(self.view(pixels)[np.newaxis], top_k)[0]

    @torch.inference_mode()
    def logits(self, view: Pixels) -> Tensor:
        """Return the logits of one view, (size, size, 3) uint8 sRGB: (1, classes) float32.

        `rank_batch` does not compute them again for one of the last views.
        """
        return self._known.setdefault(view, lambda: self.network(self._tensor(view[np.newaxis])).float())

    @torch.inference_mode()
    def rank_batch(self, views: Pixels, top_k: int) -> list[tuple[Prediction, ...]]:
        """Return what `predict` returns for each of many views: (B, size, size, 3) uint8 sRGB."""
        probabilities = self._logits_of_batch(views).softmax(1).cpu()
        if not bool(probabilities.isfinite().all()):
            raise NotFinite("the classifier computed probabilities that are not finite")
        return [self._ranking(each, top_k) for each in probabilities]

    def activation_map(self, pixels: Pixels, index: int) -> NDArray[np.float32]:
        """Compute where the network finds a class, (h, w) float32 in [0, 1] at the resolution of its last stage.

        pixels: (H, W, 3) uint8 sRGB; the map spans what the network sees of the image, see `crop`. index: index of the
        class; ValueError if there is no such class. Raises ValueError also where `supports_maps` is false.
        """
        return self.map_of_view(self.view(pixels), index)

    @torch.inference_mode()
    def map_of_view(self, view: Pixels, index: int) -> NDArray[np.float32]:
        """Return what `activation_map` returns for a view of (size, size, 3) uint8 sRGB."""
        if not 0 <= index < len(self.classes):
            raise ValueError(f"class index {index} is not from 0 to {len(self.classes) - 1}")
        classes = torch.tensor([index], device=self.device)
        images = self._tensor(view[np.newaxis])
        return np.asarray(class_activation_maps(self.network, images, classes)[0].cpu(), np.float32)

    @torch.inference_mode()
    def predict_batch(self, images: Pixels) -> list[Prediction]:
        """Return the most probable class of each of many images of (B, size, size, 3) uint8 sRGB."""
        probabilities, indices = self.network(self._tensor(images)).softmax(1).cpu().max(1)
        best = zip(indices.tolist(), probabilities.tolist(), strict=True)
        return [Prediction(self.classes[index], index, probability) for index, probability in best]

    def _logits_of_batch(self, views: Pixels) -> Tensor:
        known = [self._known.get(view) for view in views]
        new = [index for index, logits in enumerate(known) if logits is None]
        if len(new) == len(views):
            return self.network(self._tensor(views))
        if new:
            computed = self.network(self._tensor(views[new])).float()
            for index, logits in zip(new, computed.split(1), strict=True):
                known[index] = logits
        return torch.cat([logits for logits in known if logits is not None])

    def _ranking(self, probabilities: Tensor, top_k: int) -> tuple[Prediction, ...]:
        best = probabilities.argsort(descending=True, stable=True)[:top_k].tolist()
        return tuple(Prediction(self.classes[i], i, float(probabilities[i])) for i in best)

    def _tensor(self, images: Pixels) -> Tensor:
        return torch.from_numpy(images.copy()).to(self.device).permute(0, 3, 1, 2).float().div(255)


def _digest(view: Pixels) -> bytes:
    return hashlib.blake2b(view.tobytes(), digest_size=16).digest()


def load_recognizer(registry: Registry, name: str, device: torch.device) -> Recognizer:
    """Load the classifier of that name, ready to classify on `device`.

    Raises UnknownModel, also for a model of another kind, or CorruptCheckpoint.
    """
    network = registry.load(name, device)
    if not isinstance(network, Classifier | Program):
        raise UnknownModel(f"{name!r} is a {registry.entry(name).kind}, not a classifier")
    entry = registry.entry(name)
    return Recognizer(fold_batch_norm(network), entry.classes, device, entry.crop, entry.interpolation)
