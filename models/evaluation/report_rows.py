"""Rows of JSON reports that are not means over a test set; `models.evaluation.reports` holds the reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models.evaluation.compare import Setting


@dataclass(frozen=True, kw_only=True)
class PaletteModeRow:
    """One BPG coding of images in one number of colors.

    source: name of the dataset or the photo. coding: name of the coding. bytes: mean size of a file. exact: share of
    the images whose index map a decoder restores at some QP, 0 to 1.
    """

    source: str
    method: str
    colors: int
    coding: str
    images: int
    bytes: float
    exact: float


@dataclass(frozen=True, kw_only=True)
class BytesRow:
    """Recognition in the best files of one way that fit into a budget of bytes.

    Attributes:
        method: name of the quantizer, or of the codec where nothing was quantized.
        model: name of the quantizer's checkpoint; None for others.
        container: name of the file format.
        images: number of images.
        fits: share of the images that have a file within the budget, 0 to 1.
        bytes: mean size of these files; None without one.
        setting: their mean number of colors, quality, or QP of BPG; None without one.
        top1: share of all images with the true class, 0 to 1, by classifier; an image without a file counts as wrong.
    """

    method: str
    model: str | None
    container: str
    images: int
    fits: float
    bytes: float | None
    setting: float | None
    top1: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class FinetuningRow(Setting):
    """Top-1 in one setting before and after a classifier is fine-tuned on images of that setting.

    Attributes:
        name, sha256: the fine-tuned classifier and the hash of its checkpoint, as training.publish writes it.
        images: images of the test set.
        bits_per_pixel: mean over their files.
        top1_before, top1_after: on the test set, of the published and of the fine-tuned classifier, 0 to 1.
        held_out_before, held_out_after: the same on the held-out part of the training set.
        quantization_minutes: run time of quantizing all images, or of encoding images that were quantized before.
        minutes: run time of fine-tuning.
    """

    name: str
    sha256: str
    images: int
    bits_per_pixel: float
    top1_before: float
    top1_after: float
    held_out_before: float
    held_out_after: float
    quantization_minutes: float
    minutes: float


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """Top-1 that others published for a frozen classifier.

    title: name of the network. epochs: length of its training, if known. top1: by number of colors, 0 to 1.
    """

    dataset: str
    title: str
    classifier: str
    epochs: int | None
    top1: Mapping[int, float]
    source: str


Role = Literal["own", "involved", "foreign"]
"""Part that a classifier had in a method: encoder or goal of some method, goal of some method, or none."""


@dataclass(frozen=True, kw_only=True)
class PhotographRow(Setting):
    """Predictions of one classifier for photographs in one setting, compared with its predictions for the originals.

    Attributes:
        side: pixels of the shorter side of the photographs.
        reader: name of the classifier.
        role: part of the classifier in the methods.
        images: number of photographs.
        kept: share of photographs whose prediction is the same as for the original, 0 to 1.
        top1: share of photographs with the true class, 0 to 1; None where the true classes are unknown.
        kept_low, kept_high, top1_low, top1_high: ends of the 95 % bootstrap intervals.
        bits_per_pixel: mean over the files.
        view_psnr: PSNR in dB between the own classifier's inputs for original and file, of the mean squared error over
            all photographs; None where all are exact.
    """

    side: int
    reader: str
    role: Role
    images: int
    kept: float
    kept_low: float
    kept_high: float
    top1: float | None
    top1_low: float | None
    top1_high: float | None
    bits_per_pixel: float
    view_psnr: float | None


@dataclass(frozen=True, kw_only=True)
class PhotographDifference(Setting):
    """Agreement in one setting minus the agreement of another method in as many colors.

    Attributes:
        side, reader: as in PhotographRow.
        against: name of the other method.
        points: difference of the two shares `kept`, -1 to 1.
        low, high: ends of the 95 % interval of the paired bootstrap.
    """

    side: int
    reader: str
    against: str
    points: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RobustnessRow(Setting):
    """Top-1 of a classifier behind one quantizer, without and under attack, 0 to 1.

    Attributes:
        images: number of images.
        top1: without attack.
        transfer: under an attack on the classifier alone, by epsilon in levels of 8 bits.
        identity: under an attack on the whole path, with the identity in the backward pass.
        resists: share of images that every attack leaves recognized.
    """

    images: int
    top1: float
    transfer: Mapping[int, float]
    identity: Mapping[int, float]
    resists: Mapping[int, float]
