"""Measurement of every quantizer over a whole test set, on the files that a user receives.

    python -m training.evaluate --data DATA/cifar10 --classifier cifar10-resnet9 --quantizer cifar10-resnet9-colorcnn \\
        --out docs/results/data/cifar10.json

Each image is quantized, written as an indexed PNG, read back and classified. The same images go through JPEG and WebP
at falling quality and through truecolor PNG. The command selects nothing: each requested setting has one row, a mean
over all images. Finished rows are kept in a partial file beside --out, so a killed run can continue. Milliseconds
are measured last, one image after the other on one thread of this process, while the pool is idle.

Further --readers recognize the same images; each has a report of its own.

With --engine ray, workers on Ray measure the same parts of the test set. The rows of single images are kept as Parquet
files in OUT.rows/, one for each part; a repeated command continues after the last complete part.
"""

from collections.abc import Sequence
from pathlib import Path

from models.evaluation.compare import Summary
from models.evaluation.report_kinds import Kind
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import EvaluateOptions
from training.data import workers
from training.evaluate import harness, on_ray
from training.evaluate.quantizers import Measurer, SharedMeasurer, networks_of, settings_of
from training.loop.distributed import select_device


def main(argv: Sequence[str] | None = None) -> list[Summary]:
    """Run the measurement of a command line, print the table and write the JSON file."""
    options = command_line.parse(EvaluateOptions, "training.evaluate", argv).located()
    registry = Registry.open(options.models)
    if options.engine == "ray":
        if options.readers:
            raise SystemExit(
                "--readers: the ray engine has none; leave out --engine, or evaluate each reader by itself"
            )
        return on_ray.evaluate(options, registry)
    device = select_device(options.device)
    tests = harness.read_test_set(options, registry, device)
    networks = networks_of(options, registry, device)
    settings = settings_of(options, registry, networks)
    with workers.worker_pool(options.workers) as pool:
        measurer = Measurer(tests.images, tests.whole, networks, pool.map)
        if not options.readers:
            return harness.evaluate(Kind.EVALUATION, tests, settings, measurer, options, registry)
        shared, rows = SharedMeasurer(measurer), list[Summary]()
        for classifier in dict.fromkeys((options.classifier, *options.readers)):
            if registry.entry(classifier).size != tests.recognizer.size:
                raise SystemExit(f"--readers: {classifier} sees images of another size than {options.classifier}")
            own = options.replace(classifier=classifier, out=_report_of(options, classifier))
            read = harness.read_test_set(own, registry, device)
            rows += harness.evaluate(Kind.EVALUATION, read, settings, shared, own, registry)
        return rows


def _report_of(options: EvaluateOptions, classifier: str) -> Path:
    if classifier == options.classifier:
        return options.out
    return options.out.with_name(f"{options.out.stem}-{classifier}{options.out.suffix}")


if __name__ == "__main__":
    command_line.run(main)
