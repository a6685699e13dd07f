"""JSON responses about benchmarks: of images in a request, and of whole test sets."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from models.names import LEARNED_METHOD
from service.schemas.base import SHA256_OF_CLASSIFIER, SHA256_OF_MODEL, Report
from service.schemas.reports import ErrorReport

Colors = TypeVar("Colors", int, int | None)


_TILE = Field(
    None,
    description="Small picture with a longer side of 48 to 256 pixels: WebP in base64; null without `tiles`.",
    json_schema_extra={"contentEncoding": "base64"},
)


class BenchmarkImage(Report):
    """One uploaded image of a benchmark."""

    image: str = Field(description="File name, made unique.", examples=["cat.jpg"])
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    bytes: int = Field(description="Bytes of the upload.", examples=[48211])
    classifier: str = Field(
        description="Classifier of this image: that of photographs, or of smaller images.", examples=["cifar10-resnet9"]
    )
    classifier_sha256: str | None = SHA256_OF_CLASSIFIER
    label: str = Field(description="Most probable class.", examples=["cat"])
    probability: float = Field(ge=0, le=1, examples=[0.93])
    truth: str | None = Field(
        description="True class, from the option `labels`; null without labels.", examples=["cat"]
    )
    right: bool | None = Field(description="Whether `label` is the true class; null without `labels`.")
    notes: list[str] = Field(
        description="Changes that decoding made to the upload.", examples=[["EXIF orientation applied"]]
    )
    tile: str | None = _TILE


class BenchmarkFailedImage(Report):
    """An image that could not be decoded."""

    image: str = Field(examples=["broken.jpg"])
    error: ErrorReport


class BenchmarkRow(Report):
    """One image, quantized by one method to one number of colors, written as an indexed PNG and read back."""

    image: str = Field(examples=["cat.jpg"])
    method: str = Field(examples=[LEARNED_METHOD])
    model: str | None = Field(
        description="Network that quantized the image, or the classifier that a refined image was optimized for first; "
        "null for a classical method."
    )
    model_sha256: str | None = SHA256_OF_MODEL
    colors: int = Field(description="Largest number of palette entries.", examples=[4])
    bytes: int = Field(description="Bytes of the indexed PNG.", examples=[5321])
    bits_per_pixel: float = Field(description="Bits of the file divided by the pixels of the image.", examples=[0.41])
    payload_bits_per_pixel: float = Field(
        description="`bits_per_pixel` without the bytes that every PNG has.", examples=[0.4]
    )
    mse: float = Field(description="Mean squared error against the original, 0 to 65025.", examples=[211.5])
    psnr: float | None = Field(description="PSNR in dB; null where the pixels are equal.", examples=[24.9])
    ssim: float | None = Field(
        description="Structural similarity; null for an image with a side under 3 pixels.", examples=[0.81]
    )
    colors_used: int = Field(description="Number of different colors in the quantized image.", examples=[4])
    milliseconds: float = Field(description="Duration of the quantizer, on one core.", examples=[12.4])
    label: str = Field(description="Most probable class of the quantized image.", examples=["cat"])
    probability: float = Field(ge=0, le=1, examples=[0.88])
    kept: bool = Field(description="Whether `label` is the most probable class of the original.")
    right: bool | None = Field(description="Whether `label` is the true class; null without `labels`.")
    tile: str | None = _TILE


class BenchmarkFailedRow(Report):
    """A row that could not be measured."""

    image: str = Field(examples=["broken.jpg"])
    method: str = Field(examples=[LEARNED_METHOD])
    colors: int = Field(examples=[4])
    error: ErrorReport


class _Summary(Report, Generic[Colors]):
    method: str = Field(examples=[LEARNED_METHOD])
    model: str | None = Field(description="Network that quantized the images; null without a network.")
    colors: Colors = Field(description="Largest number of palette entries.", examples=[4])
    images: int = Field(description="Number of rows that the means are taken over.", examples=[2])
    kept: float = Field(
        ge=0, le=1, description="Fraction of images that keep the label of the original.", examples=[0.5]
    )
    top1: float | None = Field(
        description="Fraction of images with the true label; null without labels.", examples=[0.5]
    )
    bytes: float = Field(examples=[5321.0])
    bits_per_pixel: float = Field(examples=[0.41])
    payload_bits_per_pixel: float = Field(examples=[0.4])
    psnr: float | None = Field(
        description="PSNR in dB, computed from the mean squared error over all images.", examples=[24.9]
    )
    ssim: float | None = Field(examples=[0.81])
    colors_used: float = Field(examples=[4.0])
    milliseconds: float = Field(examples=[12.4])


class BenchmarkSummary(_Summary[int]):
    """Means over the rows of one method and number of colors, without failed rows."""

    model_sha256: str | None = SHA256_OF_MODEL


class BenchmarkReport(Report):
    """JSON response of POST /benchmark."""

    model: str | None = Field(
        description="Model of the first method that uses one; null if all methods are classical.",
        examples=["cifar10-resnet9-colorcnn"],
    )
    model_sha256: str | None = SHA256_OF_MODEL
    classifier: str | None = Field(
        description="Classifier of all images; null where photographs and smaller images have different ones.",
        examples=["cifar10-resnet9"],
    )
    classifier_sha256: str | None = SHA256_OF_CLASSIFIER
    images: list[BenchmarkImage | BenchmarkFailedImage]
    rows: list[BenchmarkRow | BenchmarkFailedRow] = Field(
        description="Rows, ordered by image, then method, then colors."
    )
    summary: list[BenchmarkSummary]


class BenchmarkProgress(Report):
    """Number of measured rows, and of all rows of a benchmark."""

    done: int = Field(ge=0, examples=[0])
    total: int = Field(ge=1, examples=[24])


class BenchmarkLine(Report):
    """One line of POST /benchmark as `application/x-ndjson`. A line has exactly one of the keys.

    The first line is `progress`. Each `image` and each `row` follows as soon as it is measured; the last line is
    `summary`. `progress` is repeated after each row, and after a few seconds without a line.
    """

    progress: BenchmarkProgress | None = None
    image: BenchmarkImage | BenchmarkFailedImage | None = None
    row: BenchmarkRow | BenchmarkFailedRow | None = None
    summary: list[BenchmarkSummary] | None = None


class DatasetSummary(_Summary[int | None]):
    """Means over a whole test set.

    The methods `jpeg`, `webp` and `truecolor_png` have no palette; `colors` is null for them.
    """

    quality: int | None = Field(description="Quality of JPEG or WebP, 1 to 100; null for palettes.", examples=[None])


class DatasetReport(BaseModel):
    """Report of `training.evaluate` over a whole test set."""

    model_config = ConfigDict(extra="allow", frozen=True)

    dataset: str = Field(examples=["cifar10"])
    split: str = Field(examples=["test"])
    images: int = Field(examples=[10000])
    classifier: str = Field(examples=["cifar10-resnet9"])
    quantizer: str | None = Field(examples=["cifar10-resnet9-colorcnn"])
    sha256: dict[str, str] = Field(description="SHA-256 of each measured checkpoint.")
    seeds: dict[str, int] = Field(
        description="Training seed of each measured checkpoint.", examples=[{"cifar10-resnet9-colorcnn": 0}]
    )
    top1_original: float = Field(ge=0, le=1, description="Top-1 accuracy on the originals.", examples=[0.9045])
    command: str = Field(
        description="Command that measured.", examples=["python -m training.evaluate --out results/x.json"]
    )
    commit: str = Field(description="Git commit of the code that measured.")
    hardware: str = Field(examples=["2 CPU cores, x86_64"])
    torch: str = Field(description="Version of PyTorch.", examples=["2.13.0"])
    rows: list[DatasetSummary]


class PhotographsRow(Report):
    """One method on photographs of one size, and how many labels one classifier keeps."""

    method: str = Field(examples=["refined"])
    colors: int | None = Field(description="Number of palette entries; null for the originals.", examples=[2])
    images: int = Field(description="Number of photographs that the shares are of.", examples=[100])
    side: int = Field(description="Shorter side of the photographs, in pixels.", examples=[512])
    reader: str = Field(description="The classifier.", examples=["imagenet-efficientnet-lite0"])
    role: str = Field(
        description="`own`: refined photographs are optimized for it first; `involved`: for it as well; `foreign`: "
        "without it.",
        examples=["own"],
    )
    kept: float = Field(ge=0, le=1, description="Share of photographs that keep the label of the original.")
    kept_low: float = Field(ge=0, le=1, description="Lower end of the interval of 95 % around `kept`.")
    kept_high: float = Field(ge=0, le=1, description="Upper end of the interval of 95 % around `kept`.")
    top1: float = Field(ge=0, le=1, description="Share of photographs with the true label.")
    bits_per_pixel: float = Field(examples=[0.7166])


class PhotographsReport(Report):
    """Report of `training.evaluate.photographs`, for the loaded classifiers."""

    dataset: str = Field(examples=["ilsvrc2012-val"])
    split: str = Field(examples=["files 641 to 740 of the labels"])
    images: int = Field(examples=[100])
    classifier: str = Field(examples=["imagenet-efficientnet-lite0"])
    sha256: dict[str, str] = Field(description="SHA-256 of each measured checkpoint.")
    command: str = Field(description="Command that measured.")
    commit: str = Field(description="Git commit of the code that measured.")
    hardware: str = Field(examples=["1 CPU core, x86_64"])
    torch: str = Field(description="Version of PyTorch.", examples=["2.13.0"])
    rows: list[PhotographsRow]


class ResultsReport(Report):
    """JSON response of GET /benchmark."""

    results: list[DatasetReport]
    photographs: list[PhotographsReport]
