"""Outputs of the models of the Open Inference Protocol: names, types, meanings, and where each value comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from models.prediction import Prediction
from service.api.model_headers import NO_MODEL
from service.api.quantize_responses import all_notes, colors_used
from service.api.v2.tensors import Content, Tensor, Value
from service.inference.pipeline import Classified
from service.inference.quantization import Quantized, Recognition
from service.schemas.inference_protocol import Datatype

Result = TypeVar("Result")

_NOTES = "changes that decoding made to the upload, separated by semicolons"


@dataclass(frozen=True)
class Output:
    """An output of a model.

    meaning: for the documentation. content: what BYTES hold; None for numbers. ranked: whether it has an element for
    each class of each image, shape [n, k]; else one for each image, shape [n].
    """

    name: str
    datatype: Datatype
    meaning: str
    content: Content | None = None
    ranked: bool = False

    def tensor(self, values: Sequence[Value], *shape: int) -> Tensor:
        """Return the tensor of these elements."""
        return Tensor(self.name, self.datatype, shape, tuple(values), self.content)


@dataclass(frozen=True)
class ImageOutput(Output, Generic[Result]):
    """An output with one element for each image. read: returns it, from the result of an image."""

    read: Callable[[Result], Value] = lambda _: b""

    def of(self, results: Sequence[Result]) -> Tensor:
        """Return the tensor of results, shape [n]."""
        return self.tensor([self.read(result) for result in results], len(results))


@dataclass(frozen=True)
class RankedOutput(Output):
    """An output with one element for each class. read: returns it, from the prediction of the class."""

    ranked: bool = True
    read: Callable[[Prediction], Value] = lambda _: b""

    def of(self, results: Sequence[Classified]) -> Tensor:
        """Return the tensor of results, shape [n, k]: the one with the fewest predictions decides k."""
        ranks = min(len(result.predictions) for result in results)
        values = [self.read(prediction) for result in results for prediction in result.predictions[:ranks]]
        return self.tensor(values, len(results), ranks)


def _recognition(result: Quantized) -> Recognition:
    if result.recognition is None:
        raise ValueError("the image was not classified")
    return result.recognition


def _cam(result: Classified) -> bytes:
    if result.cam is None:
        raise ValueError("no activation map was drawn")
    return result.cam.png


QUANTIZE_OUTPUTS: tuple[ImageOutput[Quantized], ...] = (
    ImageOutput(
        "image",
        "BYTES",
        "the file of the quantized image: an indexed PNG, or what the option `format` asks for",
        "base64",
        read=lambda result: result.file,
    ),
    ImageOutput(
        "method", "BYTES", "the quantization method", "str", read=lambda result: result.selection.method.encode()
    ),
    ImageOutput(
        "model",
        "BYTES",
        f"its network, or the classifier that a refined image is optimized for first; `{NO_MODEL}` without a network",
        "str",
        read=lambda result: (result.selection.model or NO_MODEL).encode(),
    ),
    ImageOutput("colors", "INT32", "different colors of the image", read=colors_used),
    ImageOutput(
        "palette",
        "BYTES",
        "the palette, such as `#7a5438,#a98771`",
        "str",
        read=lambda result: ",".join(result.image.hex_palette()).encode(),
    ),
    ImageOutput("width", "INT32", "width in pixels", read=lambda result: result.image.width),
    ImageOutput("height", "INT32", "height in pixels", read=lambda result: result.image.height),
    ImageOutput("bits_per_pixel", "FP32", "bits of the file per pixel", read=lambda result: result.bits_per_pixel),
    ImageOutput(
        "label_before",
        "BYTES",
        "label of the upload; absent with `recognize=false`",
        "str",
        read=lambda result: _recognition(result).before.label.encode(),
    ),
    ImageOutput(
        "probability_before",
        "FP32",
        "the probability of that label; absent with `recognize=false`",
        read=lambda result: _recognition(result).before.probability,
    ),
    ImageOutput(
        "label_after",
        "BYTES",
        "label of the quantized image; absent with `recognize=false`",
        "str",
        read=lambda result: _recognition(result).after.label.encode(),
    ),
    ImageOutput(
        "probability_after",
        "FP32",
        "the probability of that label; absent with `recognize=false`",
        read=lambda result: _recognition(result).after.probability,
    ),
    ImageOutput(
        "goals_met",
        "BOOL",
        "whether the image reaches `keep` and `max_bytes`; absent without a goal",
        read=lambda result: bool(result.goals_met),
    ),
    ImageOutput("notes", "BYTES", _NOTES, "str", read=lambda result: "; ".join(all_notes(result)).encode()),
)
"""Outputs of a model that quantizes, in the order of a response."""

CLASSIFY_OUTPUTS: tuple[ImageOutput[Classified] | RankedOutput, ...] = (
    RankedOutput(
        "label", "BYTES", "labels, the most probable first", "str", read=lambda prediction: prediction.label.encode()
    ),
    RankedOutput("index", "INT32", "their indices among the classes", read=lambda prediction: prediction.index),
    RankedOutput("probability", "FP32", "their probabilities", read=lambda prediction: prediction.probability),
    ImageOutput("model", "BYTES", "the classifier", "str", read=lambda result: result.model.encode()),
    ImageOutput("cam", "BYTES", "the activation map over the image, a PNG; absent without `cam`", "base64", read=_cam),
    ImageOutput("notes", "BYTES", _NOTES, "str", read=lambda result: "; ".join(result.notes).encode()),
)
"""Outputs of a model that classifies, in the order of a response."""
