"""README.md and RESULTS.md say what the code and the measured files say."""

import importlib
import io
import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from models.evaluation.reports import to_json
from models.report.plots import png
from models.zoo.registry import Registry
from service.settings import environment_table
from tests.benchmarks import bpg, refinement, serving
from tests.fuzz import campaign
from training.cli import arguments
from training.report import figures, rows
from training.report.reading import read_together
from training.report.tables import tables

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "RESULTS.md")
TEST_IMAGES = 10_000
SEEDS = ("", "-seed1", "-seed2")
REPORTS = (
    "cifar10",
    "cifar10-fidelity",
    "cifar10-bpg",
    "cifar10-bpg-rate",
    "cifar10-palette-modes",
    "tiny-imagenet-200",
    "tiny-imagenet-200-tuned",
    "tiny-imagenet-200-tuned-bpg",
    "tiny-imagenet-200-tuned-bpg-low",
)
REFINED = ("cifar10", "tiny-imagenet-200")
"""Reports beside which another one has the rows of `colorcnn_refined`."""
FIGURES = [
    *(("cifar10", name) for name in ("accuracy", "rate", "rate-payload", "quality")),
    ("cifar10-fidelity", "likeness"),
    *product(("cifar10-bpg", "cifar10-bpg-rate"), ("bits", "bits-payload", "rate", "likeness")),
    *product(("tiny-imagenet-200",), ("accuracy", "rate")),
    ("tiny-imagenet-200-tuned", "accuracy"),
    *product(("tiny-imagenet-200-tuned-bpg", "tiny-imagenet-200-tuned-bpg-low"), ("before", "after")),
]


def measured(name: str = "cifar10") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "docs/results/data" / f"{name}.json").read_text())
    return content


def beside(report: str) -> list[Path]:
    """The files whose rows stand with those of a report."""
    return [ROOT / "docs/results/data" / f"{report}-refined.json"] if report in REFINED else []


def tables_of(report: str) -> Mapping[str, str]:
    return tables(read_together(ROOT / "docs/results/data" / f"{report}.json", beside(report)))


@cache
def figures_of(report: str) -> Mapping[str, Figure]:
    return figures.figures_of(ROOT / "docs/results/data" / f"{report}.json", beside(report))


def top1_of(name: str) -> dict[tuple[str, int], float]:
    """Top-1 of every palette, by method and K."""
    return {(row["method"], row["colors"]): row["top1"] for row in measured(name)["rows"] if row.get("colors")}


def logged(name: str) -> list[dict[str, Any]]:
    """The epochs of a shipped run."""
    rows = map(json.loads, (ROOT / "docs/results/logs" / f"{name}.jsonl").read_text().splitlines())
    return [row for row in rows if row["event"] == "epoch"]


def text_of(document: str) -> str:
    return (ROOT / document).read_text()


def assert_told(*texts: str) -> None:
    """Each stands in RESULTS.md, wherever its lines end."""
    said = " ".join(text_of("RESULTS.md").split())
    assert [text for text in texts if text not in said] == []


def table_after(document: str, phrase: str) -> list[list[str]]:
    """The rows of the first table after a phrase, heading first, without the rule."""
    text = text_of(document)
    assert phrase in text, f"{document} no longer says {phrase!r}"
    lines = text[text.index(phrase) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("*") for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


@pytest.mark.parametrize("report", REPORTS)
def test_results_hold_every_table_of_every_evaluation(report: str) -> None:
    for title, table in tables_of(report).items():
        assert f"{title}:\n\n{table}\n" in text_of("RESULTS.md"), title


def test_results_open_with_every_trained_row() -> None:
    for title, table in rows.tables(ROOT / "docs/results").items():
        assert f"{title}:\n\n{table}\n" in text_of("RESULTS.md"), title


def test_what_the_opening_says_beside_its_table_is_what_was_measured() -> None:
    best, original, short = top1_of("cifar10"), measured()["top1_original"], top1_of("cifar10-resnet9-colorcnn-short")
    gaps = [f"{100 * (original - best['colorcnn', colors]):.1f}" for colors in rows.COLORS]
    assert_told(
        f"{100 * best['colorcnn', 2]:.1f} % at 1 bit, {gaps[0]} points under the originals; {gaps[1]} points under",
        f"{', '.join(gaps[2:5])} and {gaps[5]} points at 3, 4, 5 and 6 bits.",
        f"Without its search ours, the first seed, has {100 * short['colorcnn_one_pass', 2]:.1f} % at two colors there",
    )


def test_what_is_said_of_the_alexnet_is_what_was_measured() -> None:
    best, original = top1_of("cifar10-alexnet-colorcnn"), measured("cifar10-alexnet-colorcnn")["top1_original"]
    share = {colors: f"{100 * best['colorcnn', colors]:.1f} %" for colors in rows.COLORS}
    gaps = [f"{100 * (original - best['colorcnn', colors]):.1f}" for colors in rows.COLORS]
    assert gaps[2] == max(gaps[2:])
    assert_told(
        f"originals have {100 * original:.1f} %, twelve epochs gave {share[2]} at 1 bit and {share[4]} at 2: "
        f"{gaps[0]} and {gaps[1]} points under them; from 3 bits on it is {gaps[2]} points under them or less. "
        f"At 4 bits it has {share[16]}, where",
        f"Without the search it is {100 * best['colorcnn_one_pass', 16]:.1f} %.",
    )


def test_what_is_said_of_tiny_imagenet_is_what_was_measured() -> None:
    top1, original = top1_of("tiny-imagenet-200"), measured("tiny-imagenet-200")["top1_original"]
    ours = {colors: 100 * top1["colorcnn", colors] for colors in rows.COLORS}
    methods = {method for method, _ in top1 if not method.startswith("colorcnn")}
    best = {colors: 100 * max(top1[method, colors] for method in methods) for colors in rows.COLORS}
    gaps = {colors: f"{100 * original - share:.1f}" for colors, share in ours.items()}
    norms = [logged(f"tiny-alexnet-colorcnn-{run}")[0]["train_top1_2"] for run in ("contrast4", "first")]
    rounds = [logged(f"tiny-alexnet-colorcnn{first}")[-1]["held_out_top1_2"] for first in ("-first", "")]
    assert_told(
        f"and has {100 * original:.2f} % on the originals (aimed at: 42)",
        f"Two colors keep {ours[2]:.1f} % where the best classical quantizer keeps {best[2]:.1f}, "
        f"four keep {ours[4]:.1f} where it keeps {best[4]:.1f}.",
        f"it is {gaps[2]} under them at 1 bit, and {gaps[8]}, {gaps[16]}, {gaps[32]} and {gaps[64]} from 3 bits on.",
        f"leads by {ours[2] - best[2]:.1f} points at 1 bit and {ours[4] - best[4]:.1f} at 2, "
        f"and at 5 and 6 bits it stands {ours[32] - best[32]:+.1f} and {ours[64] - best[64]:+.1f} points beside",
        f"{100 * top1['colorcnn_one_pass', 2]:.1f} % in one pass, and the search adds "
        f"{ours[2] - 100 * top1['colorcnn_one_pass', 2]:.1f} points. The second round gained "
        f"{100 * (rounds[1] - rounds[0]):.1f} points on held-out images;",
        f"of two colors at {100 * norms[0]:.1f} %, and with a norm of two at {100 * norms[1]:.1f} %",
    )


def test_what_is_said_of_refining_on_tiny_imagenet_is_what_was_measured() -> None:
    whole = to_json(read_together(ROOT / "docs/results/data" / "tiny-imagenet-200.json", beside("tiny-imagenet-200")))
    rows = {(row["method"], row["colors"]): row for row in whole["rows"]}
    plain, refined = rows["colorcnn", 2], rows["colorcnn_refined", 2]
    share = {k: 100 * rows["colorcnn_refined", k]["top1"] for k in (2, 4, 8, 16, 32, 64)}
    gap = {k: 100 * whole["top1_original"] - each for k, each in share.items()}
    assert gap[2] <= 5 and max(gap[k] for k in (8, 16, 32, 64)) <= 1, "the goals"
    assert all(share[k] >= 100 * row["top1"] for (_, k), row in rows.items() if k)
    assert_told(
        f"two colors keep {share[2]:.1f} %, {gap[2]:.1f} points under the originals, four {share[4]:.1f}, "
        f"{gap[4]:.1f} under them, and from 3 bits on it is {max(gap[k] for k in (8, 16, 32, 64)):.1f} points",
        f"Two colors take {refined['bits_per_pixel']:.2f} bits per pixel for it where they took "
        f"{plain['bits_per_pixel']:.2f}, and have {plain['psnr'] - refined['psnr']:.1f} dB less.",
    )


def test_what_is_said_of_the_published_network_on_tiny_imagenet_is_what_was_measured() -> None:
    share = 100 * top1_of("tiny-alexnet-published-k2")["colorcnn_published", 2]
    ours = top1_of("tiny-alexnet-colorcnn-short")
    [epoch] = logged("tiny-alexnet-published-k2")
    assert epoch["epoch"] == 1 and len(logged("tiny-alexnet-colorcnn-short")) == 1
    assert_told(
        f"one epoch, which took {epoch['seconds'] / 60:.1f} minutes on two cores;",
        f"It has {share:.1f} %, less than k-means, {100 * top1_of('tiny-imagenet-200')['kmeans', 2]:.1f}.",
        f"has {100 * ours['colorcnn', 2]:.1f} % with the search and {100 * ours['colorcnn_one_pass', 2]:.1f} without.",
        f"so that its {share:.1f} % are no measure",
    )


def test_what_is_said_of_fine_tuning_is_what_was_measured() -> None:
    report = measured("tiny-imagenet-200-tuned")
    rows = {row["colors"]: row for row in report["rows"]}
    gain = {colors: 100 * (row["top1_after"] - row["top1_before"]) for colors, row in rows.items()}
    closed = gain[2] / (100 * (report["top1_original"] - rows[2]["top1_before"]))
    rates = {
        (colors, rate): 100 * logged(f"tiny-alexnet-k{colors}{rate and f'-rate-{rate}'}")[-1]["held_out_top1"]
        for colors, rate in ((16, "0.01"), (16, ""), (16, "0.001"), (2, "0.01"), (2, ""))
    }
    assert closed == pytest.approx(1 / 3, abs=0.03) and max(gain[32], gain[64]) < 0
    assert_told(
        f"Two colors gain {gain[2]:.1f} points and keep {100 * rows[2]['top1_after']:.1f} %",
        f"four gain {gain[4]:.1f}, eight {gain[8]:.1f}, sixteen {gain[16]:.1f}.",
        f"and the originals lose {-gain[None]:.1f}:",
        f"At 16 colors, where they had {100 * rows[16]['held_out_before']:.1f} % before, they had "
        f"{rates[16, '0.01']:.1f} % after fine-tuning at 0.01, {rates[16, '']:.1f} at 0.003 and "
        f"{rates[16, '0.001']:.1f} at 0.001; "
        f"at two colors {rates[2, '0.01']:.1f} at 0.01 and {rates[2, '']:.1f} at 0.003",
    )


def by_place(report: Mapping[str, Any]) -> dict[tuple[int | None, int], dict[str, Any]]:
    """Rows of a study of fine-tuning on BPG, by K and QP; None for originals."""
    return {(row["colors"], row["quality"]): row for row in report["rows"]}


def test_what_is_said_of_fine_tuning_on_bpg_is_what_was_measured() -> None:
    rows = by_place(measured("tiny-imagenet-200-tuned-bpg"))
    two, many, equal, near = rows[2, 31], rows[32, 31], rows[None, 37], rows[None, 31]
    leads = [
        [100 * (other[f"top1_{when}"] - row[f"top1_{when}"]) for row, other in ((two, equal), (many, near))]
        for when in ("before", "after")
    ]
    coarse = [row for (colors, qp), row in rows.items() if colors and qp == 51]
    worst, best = (100 * choose(row["top1_before"] for row in coarse) for choose in (min, max))
    lost = [
        100 * (row["top1_before"] - row["top1_after"]) for (colors, qp), row in rows.items() if not colors and qp < 20
    ]
    seconds = [60 * row["quantization_minutes"] for row in rows.values()]
    assert all(2 < row["top1_after"] / row["top1_before"] < 3 for row in (*coarse, rows[None, 51]))
    assert_told(
        f"two colors take {two['bits_per_pixel']:.2f} bits per pixel and keep {100 * two['top1_before']:.1f} %, "
        f"fine-tuned {100 * two['top1_after']:.1f}; originals at QP 37 take {equal['bits_per_pixel']:.2f} and keep "
        f"{100 * equal['top1_before']:.1f}, fine-tuned {100 * equal['top1_after']:.1f}.",
        f"at QP 31 from {leads[0][0]:.1f} points at two colors to {leads[0][1]:.1f} at 32",
        f"from it: {leads[1][0]:.1f} and {leads[1][1]:.1f} are left.",
        f"{worst:.1f} to {best:.1f} % of palettes, {100 * rows[None, 51]['top1_before']:.1f} of originals.",
        f"to originals the most, {100 * rows[None, 51]['top1_after']:.1f} %.",
        f"originals lose {min(lost):.1f} to {max(lost):.1f} points.",
        f"BPG of 9,000 images took {min(seconds):.0f} seconds at QP 51 to {max(seconds):.0f} at QP 3 on two cores, "
        f"{sum(seconds) / 60:.0f} minutes for the {len(rows)} datasets",
    )


def test_what_is_said_of_fine_tuning_on_coarse_bpg_is_what_was_measured() -> None:
    rows = by_place(measured("tiny-imagenet-200-tuned-bpg-low"))
    gains = {place: 100 * (row["top1_after"] - row["top1_before"]) for place, row in rows.items()}
    twos = [gain for (colors, _), gain in gains.items() if colors == 2]
    two, equal = rows[2, 43], rows[None, 44]
    pairs = ((rows[4, 43], rows[None, 44]), (rows[4, 47], rows[None, 48]))
    before, after = (
        [100 * (original[f"top1_{when}"] - row[f"top1_{when}"]) for row, original in pairs]
        for when in ("before", "after")
    )
    assert max(before) < 0.31 and f"{two['bits_per_pixel']:.2f}" == f"{equal['bits_per_pixel']:.2f}"
    assert_told(
        f"from {gains[4, 31]:.1f} points at QP 31 to {gains[4, 47]:.1f} at 47; "
        f"two colors gain {min(twos):.1f} to {max(twos):.1f} at any.",
        f"at QP 43 two colors take {two['bits_per_pixel']:.2f} bits per pixel and keep "
        f"{100 * two['top1_before']:.1f} %, fine-tuned {100 * two['top1_after']:.1f}; originals at QP 44 take as many "
        f"and keep {100 * equal['top1_before']:.1f}, fine-tuned {100 * equal['top1_after']:.1f}.",
        f"after it the originals lead by {after[0]:.1f} and {after[1]:.1f}.",
    )


def test_what_is_said_of_the_ablations_is_what_was_measured() -> None:
    def lost(ablation: str, colors: int) -> float:
        shares = [
            fmean(logged(f"cifar10-ablation-{name}{seed}")[-1][f"held_out_top1_{colors}"] for seed in SEEDS)
            for name in ("base", ablation)
        ]
        return 100 * (shares[0] - shares[1])

    both = {name: (lost(name, 2), lost(name, 4)) for name in ("contrast", "hard", "encoder")}
    assert_told(
        "Without the contrast norm two colors lose {:.0f} points and four {:.0f};".format(*both["contrast"]),
        "with hard images from the start {:.0f} and {:.0f}.".format(*both["hard"]),
        "Built upon the AlexNet it has {:.0f} points less at two colors, {:.0f} at four,".format(*both["encoder"]),
        f"Centers without k-means cost {lost('centers', 32):.1f} points at 32 colors "
        f"and {lost('centers', 64):.1f} at 64,",
    )
    assert all(abs(lost("encoder", colors)) < 1 for colors in (16, 32, 64))
    for name in ("jitter", "regularizer", "classifiers", "distillation"):
        assert all(abs(lost(name, colors)) < 3 for colors in rows.COLORS), name


def test_what_another_classifier_reads_is_told_as_it_was_measured() -> None:
    ours, theirs = top1_of("cifar10"), top1_of("cifar10-transfer")
    gained = [100 * (top1["colorcnn", 2] - top1["colorcnn_one_pass", 2]) for top1 in (theirs, ours)]
    lost = [100 * (theirs["colorcnn_one_pass", k] - theirs["colorcnn", k]) for k in (4, 8)]
    assert theirs["colorcnn_one_pass", 8] > measured("cifar10-transfer")["top1_original"]
    assert_told(
        f"two colors keep {100 * theirs['colorcnn_one_pass', 2]:.1f} % "
        f"where k-means keeps {100 * theirs['kmeans', 2]:.1f}, and eight keep "
        f"{100 * theirs['colorcnn_one_pass', 8]:.1f} %, more than the originals'",
        f"gains {gained[0]:.1f} points at two colors here, not {gained[1]:.1f}",
        f"loses {lost[0]:.1f} at four and {lost[1]:.1f} at eight",
    )


def test_what_another_classifier_reads_of_refined_images_is_told_as_it_was_measured() -> None:
    searched, refined = top1_of("cifar10-transfer"), top1_of("cifar10-transfer-refined")
    share = {colors: 100 * refined["colorcnn_refined", colors] for colors in (2, 4, 8)}
    lost = {colors: 100 * searched["colorcnn", colors] - each for colors, each in share.items()}
    assert abs(lost[8]) < 0.1
    assert_told(
        f"two colors keep {share[2]:.1f} % here, {lost[2]:.1f} points less than with the search alone, "
        f"four keep {share[4]:.1f}, {lost[4]:.1f} less; at eight nothing is lost.",
    )
    told = f"at {share[2]:.1f} %, those of the default at {100 * searched['colorcnn', 2]:.1f} ("
    assert told in " ".join(text_of("README.md").split())


def test_what_is_said_of_refining_is_what_was_measured() -> None:
    whole = to_json(read_together(ROOT / "docs/results/data" / "cifar10.json", beside("cifar10")))
    rows = {(row["method"], row["colors"]): row for row in whole["rows"]}
    gap = {k: 100 * (whole["top1_original"] - rows["colorcnn_refined", k]["top1"]) for k in (2, 4, 8, 16, 32, 64)}
    plain, refined = rows["colorcnn", 2], rows["colorcnn_refined", 2]
    assert 100 * refined["top1"] >= 90 and gap[4] <= 1.5 and max(gap[k] for k in (8, 16, 32, 64)) <= 0.5, "the goals"
    assert_told(
        f"Refined for each image it has {100 * refined['top1']:.1f} % at 1 bit, and the goals are reached.",
        f"two colors have {100 * refined['top1']:.1f} %, {gap[2]:.1f} points under the originals, and from four on "
        f"it is {max(gap[k] for k in (4, 8, 16, 32, 64)):.1f} points under them or less",
        f"two colors take {refined['bits_per_pixel']:.2f} bits per pixel where they took "
        f"{plain['bits_per_pixel']:.2f}, and have {plain['psnr'] - refined['psnr']:.1f} dB less",
    )
    assert f"\n\n{refinement.table(measured('refinement'))}\n\n" in text_of("RESULTS.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_accuracy_on_the_originals_is_the_measured_one(document: str) -> None:
    assert f"{100 * measured()['top1_original']:.2f} %" in text_of(document)


def test_every_pair_of_accuracy_and_bits_in_the_text_is_that_of_a_row() -> None:
    rates = ("bits_per_pixel", "payload_bits_per_pixel")
    names = (
        "cifar10",
        "cifar10-bpg",
        "cifar10-bpg-rate",
        "tiny-imagenet-200",
        *(f"{name}-refined" for name in REFINED),
    )
    rows = [row for name in names for row in measured(name)["rows"]]
    known = {f"{100 * row['top1']:.1f} % at {row[rate]:.2f}" for row in rows for rate in rates}
    told = re.findall(r"[\d.]+ % at \d+\.\d\d", text_of("RESULTS.md"))
    assert len(told) > 10 and set(told) <= known


def test_the_table_of_the_readme_is_that_of_the_results() -> None:
    assert tables_of("cifar10")["Top-1 in %"] in text_of("README.md").replace("**", "")


@pytest.mark.parametrize(("report", "name"), FIGURES)
def test_every_figure_is_shown_and_is_that_of_the_json(report: str, name: str) -> None:
    file = ROOT / "docs/results/figures" / f"{report}-{name}.png"
    assert f"](docs/results/figures/{file.name})" in text_of("RESULTS.md")
    figure = figures_of(report)[name]
    with Image.open(file) as shown, Image.open(io.BytesIO(png(figure))) as drawn:
        grays = [np.asarray(picture.convert("L"), dtype=np.int16) for picture in (shown, drawn)]
    # Not by its bytes: another Matplotlib or FreeType draws the same letters a little differently.
    assert np.abs(grays[0] - grays[1]).mean() < 2


def test_a_busy_benchmark_is_told_as_it_was_measured() -> None:
    report = measured("isolation")
    alone, beside = (report["milliseconds"][name] for name in ("alone", "beside"))
    said = " ".join(text_of("RESULTS.md").split())
    for name in ("p50", "p99"):
        assert f"{name} {alone[name]} ms" in said and f"(ratio {report['ratio'][name]})" in said
    assert f"took {beside['p99']} ms beside one and {alone['p99']} ms alone" in " ".join(text_of("README.md").split())


def test_the_speed_of_bpg_is_told_as_it_was_measured() -> None:
    assert f"\n\n{bpg.table(measured('bpg-speed'))}\n\n" in text_of("RESULTS.md")


def test_the_speed_of_the_service_is_told_as_it_was_measured() -> None:
    assert f"\n\n{serving.table(measured('serving'))}\n\n" in text_of("README.md")


def test_what_was_not_reached_is_told_as_it_was_measured() -> None:
    report = measured("serving")
    small, large = ([row["ratio"] for row in report["network"]["rows"] if row["side"] == side] for side in (32, 512))
    upload, raw, *_ = report["upload"]["rows"]
    png = [row["ratios"]["max_to_oxipng"] for row in report["png"]["rows"]]
    assert_told(
        f"it is {min(small):.1f} to {max(small):.1f} times as quick",
        f"(at 512x512 {min(large):.0f} to {max(large):.0f} times)",
        f"it serves {100 * upload['ratio']:.0f} % as a form and {100 * raw['ratio']:.0f} % as the raw body",
        f"takes {upload['no-op']['server_cpu_ms']:.2f} ms of the CPU,",
        f"`/quantize` {upload['quantize']['server_cpu_ms']:.2f} ms:",
        f"take {100 * png[3]['cpu_ms']:.0f} % of oxipng's CPU time but {100 * png[3]['ms']:.0f} % of its time",
    )


def test_the_soak_is_told_as_it_was_measured() -> None:
    report = measured("soak")
    load, shutdown, memory = report["load"], report["shutdown"], report["memory_mib"]
    accepted, refused = load["accepted"], load["refused"]
    assert all(report["checks"].values())
    assert_told(
        f"It could do {report['capacity']['requests_per_second']} requests a second;",
        f"{load['offered_per_second']:.0f} a second were offered for {load['seconds']:.0f} s.",
        f"{accepted['requests']:,} were answered 200 (p50 {accepted['p50_ms']} ms, p99 {accepted['p99_ms']} ms)",
        f"{refused['requests']:,} were refused with 503 and Retry-After",
        f"(p50 {refused['p50_ms']} ms, p99 {refused['p99_ms']} ms)",
        f"p99 of `/healthz` was {report['liveness']['accepted']['p99_ms']} ms",
        f"Memory went from {memory['settled']} to {memory['end']} MiB",
        f"{shutdown['in_flight']} requests were inside; all were answered",
        f"ended after {shutdown['seconds']} s with status {shutdown['exit_status']}",
    )


def test_the_fuzz_is_told_as_it_was_measured() -> None:
    report = measured("fuzz")
    assert campaign.passed(report)
    memory, slowest = report["memory_mb"], {path: each["slowest_ms"] for path, each in report["by_endpoint"].items()}
    assert_told(
        f"Of {report['cases']:,} cases {report['by_status']['200']:,} were answered 200",
        f"but for {report['by_status']['closed']} with so broken a head",
        f"slowest took {max(slowest['/quantize'], slowest['/classify']):.0f} ms on `/quantize` and `/classify`,",
        f"{max(slowest['/compress'], slowest['/benchmark']):.0f} ms on the others",
        f"by {100 * (memory['growth'] - 1):.1f} % from the first tenth to the end",
        f"{memory['after_a_tenth']:.0f} to {memory['end']:.0f} MiB",
    )


def test_the_learning_curve_is_that_of_the_log() -> None:
    rounds = {"first": "cifar10-resnet9-colorcnn-first", "second": "cifar10-resnet9-colorcnn"}
    expected = [
        [name, str(row["epoch"]), *(f"{100 * row[f'held_out_top1_{k}']:.1f}" for k in (2, 4, 8, 16, 32, 64))]
        for name, run in rounds.items()
        for row in logged(run)
        if "held_out_top1_2" in row
    ]
    assert table_after("RESULTS.md", "How the quantizer learned")[1:] == expected


def test_the_minutes_are_those_of_the_logs() -> None:
    names = ("cifar10-resnet9", "cifar10-resnet9-colorcnn-first", "cifar10-resnet9-colorcnn")
    classifier, first, second = (logged(name)[-1] for name in names)
    assert_told(
        f"Classifier: {classifier['seconds'] / 60:.0f} minutes, {classifier['epoch']} epochs.",
        f"Quantizer: {first['seconds'] / 60:.0f} and {second['seconds'] / 60:.0f} minutes, "
        f"{first['epoch']} and {second['epoch']} epochs",
    )


def test_the_manifest_has_the_same_accuracy() -> None:
    reports = [json.loads(file.read_text()) for file in (ROOT / "docs/results/data").glob("*.json")]
    tuned = {row["name"]: row for each in reports if "tuning" in each for row in each["rows"]}
    registry = Registry.open()
    for entry in registry.available():
        tested = {key: value for key, value in entry.accuracy.items() if key.startswith("test_")}
        if entry.name in tuned:
            row = tuned[entry.name]
            assert (row["sha256"], row["images"]) == (entry.sha256, TEST_IMAGES)
            assert tested == {"test_top1": row["top1_after"]}
        elif entry.kind == "classifier":
            about = [each for each in reports if each.get("classifier") == entry.name]
            originals = {each["top1_original"] for each in about if each["rows"][0]["images"] == TEST_IMAGES}
            assert tested == {"test_top1": originals.pop()} and not originals
        else:
            report = registry.results(entry.name)
            assert report is not None
            ours = [row for row in report["rows"] if (row["model"], row["method"]) == (entry.name, "colorcnn")]
            assert report in reports and report["sha256"][entry.name] == entry.sha256
            assert tested == {f"test_top1_{row['colors']}": row["top1"] for row in ours} != {}


def test_the_size_of_the_image_is_told_as_it_was_measured() -> None:
    assert f" {sum(measured('container')['bytes'].values()) / 1e9:.2f} GB " in text_of("README.md")


def test_the_limits_are_settings() -> None:
    known = {name for name, _, _ in environment_table()}
    told = [re.findall(r"COLORCNN_\w+", settings) for _, settings, _ in table_after("README.md", "## Deploy it")[1:]]
    assert len(told) == 9 and {name for names in told for name in names} <= known


def test_the_settings_table_is_the_code_s() -> None:
    shown = table_after("README.md", "## Settings")
    assert shown[1:] == [[f"`{name}`", default, text] for name, default, text in environment_table()]


def commands(document: str) -> list[str]:
    return re.findall(r"python -m training\.[^`\n]*", text_of(document))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_training_command_is_understood(document: str) -> None:
    assert commands(document)
    for command in commands(document):
        _, _, module, *flags = shlex.split(command)
        arguments.parse(importlib.import_module(module)._parser(), flags)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_and_every_make_target_that_is_named_exists(document: str) -> None:
    text = text_of(document)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets += [f"reproduce-{recipe.stem}" for recipe in (ROOT / "training" / "recipes").glob("*.toml")]
    assert {*re.findall(r"^make ([a-z0-9-]+)", text, re.MULTILINE)} <= {*targets}
    linked = re.findall(r"\]\((?!https:)([^)#]+)\)", text)
    for path in linked + re.findall(r"`((?:results|tests|models)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
