"""Options of the evaluations."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.quantizers.classical.catalog import CLASSICAL
from training.cli.options import (
    ClassicalMethod,
    DeviceOptions,
    MinutesOptions,
    ModelsOptions,
    SourceOptions,
    WorkersOptions,
)
from training.data.options import DataOptions
from training.options import Count, SomeColors, Weight

Quality = Annotated[int, Field(ge=1, le=100)]
"""Quality of JPEG and WebP."""
Qp = Annotated[int, Field(ge=0, le=51)]
"""Quantization parameter of HEVC, and so of BPG."""
Percent = Annotated[int, Field(ge=0, le=100)]
"""A fidelity in percent."""
LearnedMethod = Literal["colorcnn", "colorcnn_one_pass", "colorcnn_refined"]
"""One of models.names.LEARNED_METHODS."""


class OutOptions(ModelsOptions, DeviceOptions, WorkersOptions, DataOptions):
    """Where an evaluation reads, computes and writes."""

    out: Path
    """JSON file for the results."""


class EvaluationOptions(OutOptions):
    """Options of the evaluations that a classifier takes part in."""

    classifier: str
    """Published classifier that recognizes the images."""


class EvaluateOptions(EvaluationOptions):
    """Measure every quantizer on a whole test set: bytes, PSNR, SSIM and top-1 of a frozen classifier."""

    quantizer: str | None = None
    """Published learned quantizer to measure."""
    ways: tuple[LearnedMethod, ...] = ()
    """Methods of the learned quantizer; by default with its search, and without it where it has one."""
    published: tuple[str, ...] = ()
    """Published networks of ColorCNN as published to measure."""
    methods: tuple[ClassicalMethod, ...] = tuple(CLASSICAL)
    """Classical quantizers to measure."""
    colors: SomeColors = (2, 4, 8, 16, 32, 64, 128, 256)
    """Numbers of colors."""
    qualities: tuple[Quality, ...] = (1, 5, 10, 20, 30, 50, 70, 85, 95)
    """Qualities of JPEG and WebP, 1 to 100."""


class BpgOptions(EvaluationOptions):
    """Compare BPG of few-color images with BPG of the originals at the same QP."""

    quantizer: str
    """Published learned quantizer."""
    images: Count = 1000
    """Number of test images: the first ones."""
    colors: SomeColors = (2, 4, 8, 16, 32)
    """Numbers of colors."""
    qps: Annotated[tuple[Qp, ...], Field(min_length=1)] = tuple(range(52))
    """QPs of HEVC, 0 to 51."""
    chroma: Literal["444", "422", "420"] = "420"
    """Chroma subsampling; bpgenc has the same default."""


class FidelityOptions(EvaluationOptions):
    """Measure top-1, PSNR and bits of the learned quantizer from fidelity 0 to 1."""

    quantizer: str
    """Published learned quantizer that has several structure scales."""
    images: Count = 2000
    """Number of test images: the first ones."""
    colors: SomeColors = (2, 4, 8, 16)
    """Numbers of colors."""
    percents: Annotated[tuple[Percent, ...], Field(min_length=1)] = (0, 5, 10, 20, 35, 50, 70, 100)
    """Fidelities in percent, 0 to 100."""


class FinetuningStudyOptions(EvaluationOptions, SourceOptions, MinutesOptions):
    """Measure top-1 before and after fine-tuning the classifier on few-color images, as PNG or as BPG."""

    quantizer: str
    """Published learned quantizer."""
    colors: SomeColors = (2, 4, 8, 16, 32, 64)
    """Numbers of colors."""
    qps: tuple[Qp, ...] = ()
    """QPs of BPG, 0 to 51; indexed PNG by default."""
    epochs: Count = 3
    """Epochs of fine-tuning."""
    batch: Count = 128
    """Images per batch."""
    lr: Weight = 0.003
    """Peak learning rate."""
    seed: int = 0
    """Seed of fine-tuning."""
    cache: Path = Path("runs", "cache")
    """Folder for quantized datasets."""
    runs: Path = Path("runs")
    """Folder for the runs."""


class PaletteModesOptions(OutOptions):
    """Measure the bytes of few-color images as BPG that keeps the index map, by coding, against PNG."""

    quantizer: str
    """Published learned quantizer."""
    images: Count = 100
    """Number of held-out images."""
    held_out: Count = 5000
    """Held-out part of train, as the quantizer was trained with."""
    photos: tuple[Path, ...] = ()
    """Image files that are quantized at their native size."""
    colors: SomeColors = (2, 4, 8)
    """Numbers of colors."""
