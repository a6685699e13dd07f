"""The JSON of the HTTP interface: what goes out."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.codecs.bpg import Mode
from models.names import LEARNED_METHOD, ModelKind

Colors = TypeVar("Colors", int, int | None)

_BASE64: dict[str, JsonValue] = {"contentEncoding": "base64"}


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PredictionReport(_Report):
    """One class and how likely it is."""

    label: str = Field(examples=["frog"])
    index: int = Field(ge=0, description="Place of the class in the classifier's list.", examples=[6])
    probability: float = Field(ge=0, le=1, examples=[0.93])


class RecognitionReport(_Report):
    """What a classifier sees in the image before and after quantization."""

    model: str = Field(description="The classifier.", examples=["cifar10-resnet9"])
    before: PredictionReport
    after: PredictionReport
    kept: bool = Field(description="Whether the label stayed the same.")


class QuantizeReport(_Report):
    """The answer of POST /quantize as JSON."""

    model: str | None = Field(description="The network that painted; null for a classical method.")
    method: str = Field(examples=[LEARNED_METHOD])
    fidelity: float = Field(ge=0, le=1, description="As asked for.", examples=[0.0])
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    palette: list[str] = Field(description="The colors, as #rrggbb.", examples=[["#1d2b1f", "#c9b79c"]])
    counts: list[int] = Field(description="Pixels of each palette entry.", examples=[[120400, 186800]])
    bits_per_pixel: float = Field(description="Bits of the PNG file over pixels of the image.", examples=[0.41])
    png: str = Field(description="The indexed PNG, in base64.", json_schema_extra=_BASE64)
    recognition: RecognitionReport | None = Field(description="Null with recognise=false.")
    notes: list[str] = Field(description="What decoding did to the upload.", examples=[["EXIF orientation applied"]])


class VersionReport(_Report):
    """One form of an image, and what it does to it."""

    bytes: int = Field(description="Size of the file.", examples=[11128])
    bits_per_pixel: float = Field(description="Bits of the file over pixels.", examples=[0.66])
    payload_bits_per_pixel: float | None = Field(
        description="The same without the bytes that do not depend on the picture; null for the upload.",
        examples=[0.65],
    )
    mse: float = Field(description="Mean squared error to the upload, 0 to 65025.", examples=[55.2])
    psnr: float | None = Field(description="In dB; null where the pixels are those of the upload.", examples=[30.7])
    label: str | None = Field(description="What the classifier sees; null with recognise=false.", examples=["cat"])
    probability: float | None = Field(ge=0, le=1, examples=[0.93])
    kept: bool | None = Field(description="Whether it sees the same in the upload.")


class CodingReport(_Report):
    """How a BPG file was coded."""

    qp: int | None = Field(description="HEVC's quantization parameter, 0 to 51; null without loss.", examples=[28])
    chroma: str = Field(description="444, 422, 420, or `gray` for one plane.", examples=["444"])
    color_space: str = Field(description="`ycbcr` or `rgb`.", examples=["ycbcr"])


class BpgReport(VersionReport):
    """A version that is a BPG file."""

    coding: CodingReport


class QuantizedBpgReport(BpgReport):
    """The painted image as BPG; with `mode` auto and index its coding is another than that of `original_bpg`."""

    index_map_kept: bool = Field(
        description="Whether each pixel still is nearest to its own color of the palette, so that the painted image "
        "can be restored exactly."
    )


class CompressedFiles(_Report):
    """The files of a compressed image, in base64."""

    png: str = Field(description="The painted image as indexed PNG.", json_schema_extra=_BASE64)
    bpg: str = Field(description="The painted image as BPG.", json_schema_extra=_BASE64)
    original_bpg: str = Field(description="The upload as BPG.", json_schema_extra=_BASE64)


class CompressReport(_Report):
    """The answer of POST /compress as JSON."""

    model: str | None = Field(description="The network that painted; null for a classical method.")
    method: str = Field(examples=[LEARNED_METHOD])
    fidelity: float = Field(ge=0, le=1, description="As asked for.", examples=[0.0])
    classifier: str | None = Field(description="Who reads the image; null with recognise=false.")
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    colors: int = Field(description="Palette entries of the painted image.", examples=[4])
    qp: int = Field(description="As asked for; see the `coding` of each file.", examples=[28])
    chroma: str = Field(description="As asked for; see the `coding` of each file.", examples=["444"])
    mode: Mode = Field(examples=["plain"])
    original: VersionReport = Field(description="The upload, with the size of its file.")
    quantized: VersionReport = Field(description="The painted image as indexed PNG.")
    quantized_bpg: QuantizedBpgReport = Field(description="The painted image as BPG.")
    original_bpg: BpgReport = Field(description="The upload as BPG, at `qp` and `chroma`, without painting.")
    files: CompressedFiles
    notes: list[str] = Field(description="What decoding did to the upload.", examples=[["EXIF orientation applied"]])


class CamReport(PredictionReport):
    """A class activation map: where the classifier looks for this class."""

    png: str = Field(description="The map over the image, a PNG in base64.", json_schema_extra=_BASE64)


class ClassifyReport(_Report):
    """The answer of POST /classify as JSON."""

    model: str = Field(description="The classifier.", examples=["cifar10-resnet9"])
    predictions: list[PredictionReport] = Field(description="Best first.")
    cam: CamReport | None = Field(description="Null unless the option `cam` is given.")
    notes: list[str] = Field(description="What decoding did to the upload.")


class ModelReport(_Report):
    """One network that is loaded."""

    name: str = Field(examples=["cifar10-resnet9-colorcnn"])
    kind: str = Field(description=f"`{ModelKind.COLORCNN}` quantizes, `{ModelKind.CLASSIFIER}` predicts.")
    default: bool = Field(description="Whether it is used when a request names no model.")
    architecture: str
    dataset: str = Field(description="What it was trained on.", examples=["cifar10"])
    classes: list[str] = Field(description="Labels, in the order of their indices.")
    size: int = Field(description="Side of the images it was trained on, in pixels.", examples=[32])
    colors: tuple[int, int] | None = Field(description="Fewest and most colors; null for a classifier.")
    classifier: str | None = Field(description="The classifier it was trained against; null for a classifier.")
    fidelity: bool = Field(description="Whether it heeds the option `fidelity` of /quantize and /compress.")
    device: str = Field(examples=["cuda"])
    accuracy: dict[str, float] = Field(description="Measured top-1 accuracy by setting.")
    sha256: str = Field(description="Hash of the checkpoint file.")


class ModelsReport(_Report):
    """The answer of GET /models."""

    models: list[ModelReport]
    methods: list[str] = Field(description="What the option `method` of /quantize may be, the default first.")


class StatusReport(_Report):
    """The answer of the two probes when all is well."""

    status: Literal["alive", "ready"]


class ErrorReport(_Report):
    """What went wrong, as in problem details (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of problem.", examples=["urn:colorcnn:problem:bad-option"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong with this request, and what to do.")


class ProblemReport(ErrorReport):
    """Problem details (RFC 9457), the shape of every error."""

    instance: str = Field(
        description="This occurrence; ends in the X-Request-ID.", examples=["urn:colorcnn:request:5f2c"]
    )


class BenchmarkImage(_Report):
    """One image of a benchmark, as it came."""

    image: str = Field(description="Its file name, made unique.", examples=["cat.jpg"])
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    bytes: int = Field(description="Size of the upload.", examples=[48211])
    label: str = Field(description="What the classifier sees in it.", examples=["cat"])
    probability: float = Field(ge=0, le=1, examples=[0.93])
    truth: str | None = Field(description="Its label among the option `labels`; null without.", examples=["cat"])
    right: bool | None = Field(description="Whether the classifier sees that; null without `labels`.")
    notes: list[str] = Field(description="What decoding did to the upload.", examples=[["EXIF orientation applied"]])


class BenchmarkFailedImage(_Report):
    """An image that could not be opened."""

    image: str = Field(examples=["broken.jpg"])
    error: ErrorReport


class BenchmarkRow(_Report):
    """One image painted by one method with one number of colors, written as an indexed PNG and read back."""

    image: str = Field(examples=["cat.jpg"])
    method: str = Field(examples=[LEARNED_METHOD])
    model: str | None = Field(description="The network that painted; null for a classical method.")
    colors: int = Field(description="Most palette entries.", examples=[4])
    bytes: int = Field(description="Size of the indexed PNG.", examples=[5321])
    bits_per_pixel: float = Field(description="Bits of the file over pixels.", examples=[0.41])
    payload_bits_per_pixel: float = Field(description="The same without the bytes that every PNG has.", examples=[0.4])
    mse: float = Field(description="Mean squared error, 0 to 65025.", examples=[211.5])
    psnr: float | None = Field(description="In dB; null where the image is exact.", examples=[24.9])
    ssim: float | None = Field(description="Null for an image with a side under 3 pixels.", examples=[0.81])
    colors_used: int = Field(description="Different colors in the painted image.", examples=[4])
    milliseconds: float = Field(description="That the quantizer took, on one core.", examples=[12.4])
    label: str = Field(description="What the classifier sees in the painted image.", examples=["cat"])
    probability: float = Field(ge=0, le=1, examples=[0.88])
    kept: bool = Field(description="Whether it saw the same in the original.")
    right: bool | None = Field(description="Whether that is the true label; null without `labels`.")


class BenchmarkFailedRow(_Report):
    """A row that could not be made."""

    image: str = Field(examples=["broken.jpg"])
    method: str = Field(examples=[LEARNED_METHOD])
    colors: int = Field(examples=[4])
    error: ErrorReport


class _Summary(_Report, Generic[Colors]):
    method: str = Field(examples=[LEARNED_METHOD])
    model: str | None = Field(description="The network that painted; null without one.")
    colors: Colors = Field(description="Most palette entries.", examples=[4])
    images: int = Field(description="Rows that the means are over.", examples=[2])
    kept: float = Field(ge=0, le=1, description="Share of images whose label stayed the same.", examples=[0.5])
    top1: float | None = Field(description="Share with the true label; null without labels.", examples=[0.5])
    bytes: float = Field(examples=[5321.0])
    bits_per_pixel: float = Field(examples=[0.41])
    payload_bits_per_pixel: float = Field(examples=[0.4])
    psnr: float | None = Field(description="Of the mean squared error over all images, in dB.", examples=[24.9])
    ssim: float | None = Field(examples=[0.81])
    colors_used: float = Field(examples=[4.0])
    milliseconds: float = Field(examples=[12.4])


class BenchmarkSummary(_Summary[int]):
    """Means over the rows of one method and number of colors, without those that failed."""


class BenchmarkReport(_Report):
    """The answer of POST /benchmark as JSON."""

    model: str | None = Field(
        description="The network of the method `colorcnn`.", examples=["cifar10-resnet9-colorcnn"]
    )
    classifier: str = Field(description="Who judges.", examples=["cifar10-resnet9"])
    images: list[BenchmarkImage | BenchmarkFailedImage]
    rows: list[BenchmarkRow | BenchmarkFailedRow] = Field(description="Images, in them methods, in them colors.")
    summary: list[BenchmarkSummary]


class BenchmarkProgress(_Report):
    """How many rows of a benchmark are made."""

    done: int = Field(ge=0, examples=[0])
    total: int = Field(ge=1, examples=[24])


class BenchmarkLine(_Report):
    """One line of the answer of POST /benchmark as `application/x-ndjson`: one of these, the others left out.

    First comes `progress`, then each `image` with its `row`s as soon as they are made, last `summary`. After each row,
    and whenever nothing came for some seconds, comes `progress` again.
    """

    progress: BenchmarkProgress | None = None
    image: BenchmarkImage | BenchmarkFailedImage | None = None
    row: BenchmarkRow | BenchmarkFailedRow | None = None
    summary: list[BenchmarkSummary] | None = None


class DatasetSummary(_Summary[int | None]):
    """Means over a whole test set. Beside palettes: `jpeg` and `webp` at some quality, `truecolor_png` of 24 bits.

    These have no palette: `colors` is null.
    """

    quality: int | None = Field(description="Of the codec, 1 to 100; null for palettes.", examples=[None])


class DatasetReport(BaseModel):
    """What `training.evaluate` measured over a whole test set, and how."""

    model_config = ConfigDict(extra="allow", frozen=True)

    dataset: str = Field(examples=["cifar10"])
    split: str = Field(examples=["test"])
    images: int = Field(examples=[10000])
    classifier: str = Field(examples=["cifar10-resnet9"])
    quantizer: str | None = Field(examples=["cifar10-resnet9-colorcnn"])
    sha256: dict[str, str] = Field(description="Hashes of the checkpoints that were measured.")
    seeds: dict[str, int] = Field(
        description="That they were trained with.", examples=[{"cifar10-resnet9-colorcnn": 0}]
    )
    top1_original: float = Field(ge=0, le=1, description="Top-1 accuracy on the originals.", examples=[0.9045])
    command: str = Field(description="What measured.", examples=["python -m training.evaluate --out results/x.json"])
    commit: str = Field(description="Of the code that measured.")
    hardware: str = Field(examples=["2 CPU cores, x86_64"])
    torch: str = Field(description="Its version.", examples=["2.13.0"])
    rows: list[DatasetSummary]


class ResultsReport(_Report):
    """The answer of GET /benchmark as JSON."""

    results: list[DatasetReport]
