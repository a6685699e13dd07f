"""A classifier behind an interface of pixels and labels, for images of any size."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cam import class_activation_maps
from models.networks.classifiers import Classifier
from models.resampling import resize


@dataclass(frozen=True)
class Prediction:
    """One class of an image: its label, its index among the classes and its probability in [0, 1]."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True, eq=False)
class Recognizer:
    """Says what a frozen classifier sees in an image, which is scaled to the classifier's input size first.

    network: in eval mode, on `device`. classes: labels in the order of the logits.
    """

    network: Classifier
    classes: tuple[str, ...]
    device: torch.device

    @torch.inference_mode()
    def predict(self, pixels: NDArray[np.uint8], top_k: int = 1) -> tuple[Prediction, ...]:
        """The `top_k` likeliest classes of (H, W, 3) uint8 sRGB pixels, best first; fewer where there are fewer."""
        probabilities = self.network(self._view(pixels)).softmax(1)[0].cpu()
        best = probabilities.argsort(descending=True, stable=True)[:top_k].tolist()
        return tuple(Prediction(self.classes[i], i, float(probabilities[i])) for i in best)

    @torch.inference_mode()
    def activation_map(self, pixels: NDArray[np.uint8], index: int) -> NDArray[np.float32]:
        """Where the classifier sees a class: (h, w) float32 in [0, 1], h and w those of its last stage.

        pixels: (H, W, 3) uint8 sRGB; the map spans the whole image at a lower resolution. index: of the class;
        ValueError where there is no such class.
        """
        if not 0 <= index < len(self.classes):
            raise ValueError(f"class index {index} is not from 0 to {len(self.classes) - 1}")
        chosen = torch.tensor([index], device=self.device)
        return np.asarray(class_activation_maps(self.network, self._view(pixels), chosen)[0].cpu(), np.float32)

    def _view(self, pixels: NDArray[np.uint8]) -> Tensor:
        view = torch.from_numpy(resize(pixels, self.network.config.size)).to(self.device)
        return view.permute(2, 0, 1).unsqueeze(0).float().div(255)
