"""Options of the evaluations."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.quantizers.classical.catalog import CLASSICAL
from training.cli.options import (
    ClassicalMethod,
    DeviceOptions,
    ModelsOptions,
    RayOptions,
    WorkersOptions,
)
from training.data.options import DataOptions
from training.options import SomeColors

Quality = Annotated[int, Field(ge=1, le=100)]
"""Quality of JPEG and WebP."""
Qp = Annotated[int, Field(ge=0, le=51)]
"""Quantization parameter of HEVC, which BPG uses."""
LearnedMethod = Literal["colorcnn", "colorcnn_one_pass", "colorcnn_refined", "colorcnn_refined_code"]
"""One of models.names.LEARNED_METHODS, or REFINED_CODE."""


class OutOptions(ModelsOptions, DeviceOptions, WorkersOptions, DataOptions):
    """Input, device and output of an evaluation."""

    out: Path
    """JSON file for the results."""


class EvaluationOptions(OutOptions):
    """Options of the evaluations that use a classifier."""

    classifier: str
    """Published classifier that recognizes the images."""


class EvaluateOptions(EvaluationOptions, RayOptions):
    """Measure every quantizer on a whole test set: bytes, PSNR, SSIM and top-1 of a frozen classifier."""

    quantizer: str | None = None
    """Published learned quantizer to measure."""
    ways: tuple[LearnedMethod, ...] = ()
    """Methods of the learned quantizer; by default with the search, and also without it if the quantizer has one."""
    readers: tuple[str, ...] = ()
    """Other published classifiers that recognize the same images; the report of each is OUT-NAME.json. The images of
    all settings stay in memory, 3 kB for each at 32x32."""
    published: tuple[str, ...] = ()
    """Published networks that follow the ColorCNN paper, to measure."""
    methods: tuple[ClassicalMethod, ...] = tuple(CLASSICAL)
    """Classical quantizers to measure."""
    colors: SomeColors = (2, 4, 8, 16, 32, 64, 128, 256)
    """Numbers of colors."""
    qualities: tuple[Quality, ...] = (1, 5, 10, 20, 30, 50, 70, 85, 95)
    """Qualities of JPEG and WebP, 1 to 100."""
