"""Speed of the served quantizer, with its search and in one pass, beside the paper's U-Net, as ratios.

    python -m tests.benchmarks.network --out docs/results/data/network.json

Both quantize the same images from uint8 pixels to palette images: a batch of 64 at 32x32 and one image at 512x512, from
scikit-learn's china.jpg. The U-Net runs as its authors run it: float32, eager, batch norm unfolded. It has random
weights, which take as long as trained ones. Pre- and postprocessing are the served quantizer's. All ways alternate, so
that a machine that slows down affects each of them.

At 32x32 the served quantizer spends its time in classifier and decoder. These two also run in other runtimes when they
are installed (pip install onnx onnxruntime openvino).
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.evaluation.report_kinds import Kind
from models.names import ONE_PASS
from models.networks.arg_max import arg_max_planes
from models.networks.colorcnn import ColorCNN
from models.networks.published import PublishedColorCNN, PublishedConfig
from models.palette_image import PaletteImage
from models.quantizers.base import exact
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.palette import color_sums, mean_palette
from models.rgb import Pixels
from models.zoo.registry import Registry
from tests.benchmarks.reporting import write_report
from training.report import markdown

MODEL = "cifar10-resnet9-colorcnn-one-pass"
COLORS = (2, 4, 16)
SQUARE = 120  # side in pixels of the squares of the photo, before scaling to the quantizer's native size

Work = Callable[[], object]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.network", description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="turns of each way, after one to warm up (%(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch at 32x32 (%(default)s)")
    parser.add_argument("--side", type=int, default=512, help="side of the large image in pixels (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    devices = [torch.device(name) for name in ("cpu", "cuda") if name == "cpu" or torch.cuda.is_available()]
    flags = f"--turns {args.turns} --batch {args.batch} --side {args.side} --out {args.out}"
    measured = {
        "gpu": torch.cuda.get_device_name() if len(devices) > 1 else None,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "model": MODEL,
        "rows": [row for device in devices for row in measure(device, args.batch, args.side, args.turns)],
        "runtimes": [row for batch in (args.batch, 1) for row in measure_runtimes(batch, args.turns)],
    }
    report = write_report(args.out, Kind.NETWORK, f"tests.benchmarks.network {flags}", measured)
    print(table(report))
    return report


def measure(device: torch.device, batch: int, side: int, turns: int) -> list[dict[str, Any]]:
    """Measure each size and number of colors.

    `ratio` is the time of the published network over that of the served one; `one_pass_ratio` leaves out the search.
    """
    quantizer = load_quantizer(Registry.open(), MODEL, device)
    rows = []
    for images, colors in product((small_images(quantizer.size, batch), large_image(side)), COLORS):
        network = PublishedColorCNN(PublishedConfig(colors=colors)).eval().requires_grad_(False).to(device)
        methods = {"served": quantizer, "one_pass": quantizer.for_method(ONE_PASS)}
        ways = {way: served(method, images, colors) for way, method in methods.items()}
        ways = {"published": published(network, images), **ways}
        # The counter knows no products of integers, so it counts those of the networks in floating point.
        counted = {way: served(replace(method, integer=None), images, colors) for way, method in methods.items()}
        row: dict[str, Any] = {"device": device.type, "side": images.shape[1], "batch": len(images), "colors": colors}
        counts = {f"{way}_multiply_adds": multiply_adds(work) // len(images) for way, work in (ways | counted).items()}
        for work in ways.values():
            work()
        medians = {f"{way}_ms": milliseconds for way, milliseconds in medians_of(ways, turns).items()}
        ratios = {way: round(medians["published_ms"] / medians[f"{way}_ms"], 2) for way in methods}
        rows.append(row | counts | medians | {"ratio": ratios["served"], "one_pass_ratio": ratios["one_pass"]})
    return rows


def small_images(side: int, count: int) -> Pixels:
    """Return (count, side, side, 3) uint8: different squares of the photo, scaled down."""
    photo = load_sample_image("china.jpg")
    generator = np.random.default_rng(0)
    tops, lefts = (generator.integers(0, length - SQUARE, count) for length in photo.shape[:2])
    squares = [photo[top : top + SQUARE, left : left + SQUARE] for top, left in zip(tops, lefts, strict=True)]
    return np.stack([np.asarray(Image.fromarray(square).resize((side, side))) for square in squares])


def large_image(side: int) -> Pixels:
    """Return (1, side, side, 3) uint8: the whole photo."""
    return np.asarray(Image.fromarray(load_sample_image("china.jpg")).resize((side, side)))[np.newaxis]


def served(quantizer: LearnedQuantizer, images: Pixels, colors: int) -> Work:
    """Return work that quantizes the images as the service does."""
    if len(images) > 1 or images.shape[1] == quantizer.size:
        return lambda: quantizer.quantize_batch(images, colors)
    return lambda: quantizer.quantize(images[0], colors)


def published(network: PublishedColorCNN, images: Pixels) -> Work:
    """Return work that runs the U-Net on all images at once, with the served quantizer's pre- and postprocessing."""
    colors = network.config.colors
    device = network.mean.device

    @torch.inference_mode()
    def work() -> list[PaletteImage]:
        pixels = torch.from_numpy(images.copy()).to(device)
        indices = arg_max_planes(network.index_logits(pixels.permute(0, 3, 1, 2).float().div(255)))
        found = indices.cpu().numpy(), color_sums(pixels, indices, colors).cpu().numpy()
        return [exact(image, colors) or mean_palette(*each) for image, *each in zip(images, *found, strict=True)]

    return work


def multiply_adds(work: Work) -> int:
    """Count the multiply-adds of convolutions and matrix products; this run also warms up."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2


def medians_of(ways: dict[str, Work], turns: int) -> dict[str, float]:
    """Return the median milliseconds of each way; the ways alternate."""
    milliseconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, work in ways.items():
            started = time.perf_counter()
            work()
            milliseconds[way].append(1000 * (time.perf_counter() - started))
    return {way: round(float(np.median(each)), 2) for way, each in milliseconds.items()}


class Convolutions(nn.Module):
    """Classifier and decoder as one module."""

    def __init__(self, network: ColorCNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, s, s) float32 in [0, 1] to the classifier's logits and the decoder's features."""
        encoder = self.network.encoder
        maps = encoder.features(views)
        return encoder.head(maps[-1].mean((2, 3))), self.network.decoder(views, maps)


@torch.inference_mode()
def measure_runtimes(batch: int, turns: int) -> list[dict[str, Any]]:
    """Measure classifier and decoder on the CPU in each runtime; `ratio` is eager torch's time over the runtime's."""
    quantizer = load_quantizer(Registry.open(), MODEL, torch.device("cpu"))
    views = torch.from_numpy(small_images(quantizer.size, batch)).permute(0, 3, 1, 2).float().div(255)
    module = Convolutions(quantizer.network).eval()
    ways: dict[str, Work] = {"torch": lambda: module(views), "torch bfloat16": lambda: in_bfloat16(module, views)}
    if quantizer.integer is not None:
        integer = quantizer.integer
        ways["torch int8"] = lambda: integer.describe(views)
    if find_spec("onnx"):
        data = as_onnx(module, views.contiguous())
        makers = {"onnxruntime": onnxruntime, "openvino": openvino}
        ways |= {name: make(data, views.contiguous().numpy()) for name, make in makers.items() if find_spec(name)}
    for work in ways.values():
        work()
    medians = medians_of(ways, turns)
    rows: list[dict[str, Any]] = [{"runtime": way, "batch": batch, "ms": medians[way]} for way in ways]
    rows = [row | {"ratio": round(medians["torch"] / row["ms"], 2)} for row in rows]
    missing = {"onnxruntime", "openvino"} - set(ways)
    return rows + [{"runtime": name, "batch": batch, "skipped": "not installed"} for name in sorted(missing)]


def in_bfloat16(module: nn.Module, views: Tensor) -> object:
    """Run one pass in bfloat16, which the service uses when the processor has instructions for it."""
    with torch.autocast("cpu", torch.bfloat16):
        return module(views)


def as_onnx(module: nn.Module, views: Tensor) -> bytes:
    """Export the module to ONNX for inputs of the shape of `views`."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the deprecated exporter needs no further package
        torch.onnx.export(module, (views,), file := Path(folder) / "network.onnx", dynamo=False)
        return file.read_bytes()


def onnxruntime(data: bytes, views: NDArray[np.float32]) -> Work:
    """Return work that runs the model in onnxruntime, in float32, with torch's number of threads."""
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: views})


def openvino(data: bytes, views: NDArray[np.float32]) -> Work:
    """Return work that runs the model in OpenVINO, at its default precision, with torch's number of threads."""
    core = import_module("openvino").Core()
    options = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": 1}
    request = core.compile_model(core.read_model(data, b""), "CPU", options).create_infer_request()
    return cast(Work, lambda: request.infer([views]))


def table(report: dict[str, Any]) -> str:
    """Return a Markdown table with a line for each row of the report."""
    heading = ["device", "size", "K", "U-Net as published, ms", "served, ms", "times as fast", "multiply-adds"]
    heading += ["one pass, ms", "times as fast"]
    return markdown.table(heading, [_line(row) for row in report["rows"]])


def _line(row: dict[str, Any]) -> list[str]:
    size = f"{row['side']}x{row['side']}" + (f", batch {row['batch']}" if row["batch"] > 1 else "")
    times = [f"{row['published_ms']:,.1f}", f"{row['served_ms']:,.1f}", f"x {row['ratio']:.1f}"]
    one_pass = [f"{row['one_pass_ms']:,.1f}", f"x {row['one_pass_ratio']:.1f}"]
    return [row["device"], size, f"{row['colors']}", *times, _fraction(row), *one_pass]


def _fraction(row: dict[str, Any]) -> str:
    return f"1 / {row['published_multiply_adds'] / row['served_multiply_adds']:.1f}"


if __name__ == "__main__":
    main()
