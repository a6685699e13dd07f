"""docs/generator: blocks, links to figures and what is stale, on documents of a folder of their own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from docs.generator import documents, figures, reports
from docs.generator.documents import BLOCKS, generated, stale, write
from docs.generator.result_tables import evaluation

FIGURE = '<!-- begin: figure cifar10-fidelity likeness "Top-1 over PSNR" -->\n<!-- end -->\n'


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only document, beside an empty folder of figures."""
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    monkeypatch.setattr(figures, "FIGURES", tmp_path / "docs" / "results" / "figures")
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs" / "page.md"


def test_stale_parts_are_reported_and_then_rewritten(page: Path) -> None:
    page.write_text(f"Two: <!-- value: percent cifar10:colorcnn@2.top1 -->1 %<!-- end -->.\n\n{FIGURE}")
    figure = page.parent / "results" / "figures" / "cifar10-fidelity-likeness.png"
    assert stale() == ["docs/page.md is stale", "docs/results/figures/cifar10-fidelity-likeness.png is stale"]
    assert write() == [page, figure]
    assert "![Top-1 over PSNR](results/figures/cifar10-fidelity-likeness.png)" in page.read_text()
    assert stale() == [] and write() == []
    with Image.open(figure) as image:
        content = PngInfo()
        content.add_text("Content", image.info["Content"])
        Image.fromarray(255 - np.asarray(image.convert("RGB"))).save(figure, pnginfo=content)
    assert stale() == ["docs/results/figures/cifar10-fidelity-likeness.png is stale"]


def test_a_figure_is_stale_once_a_number_of_its_report_moves(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page.write_text(FIGURE)
    write()
    assert stale() == []
    report = reports.figures_of.__wrapped__("cifar10-fidelity")["likeness"]  # not the cached one, which others read
    line = report.axes[0].lines[0]
    line.set_ydata(np.asarray(line.get_ydata(), float) + 0.1)  # too little for the pixels to tell
    monkeypatch.setattr(figures, "figures_of", lambda names: {"likeness": report})
    assert stale() == ["docs/results/figures/cifar10-fidelity-likeness.png is stale"]


@pytest.mark.parametrize(
    "block",
    sorted(
        BLOCKS.keys() - {"table", "rows", "curve", "targets", "benchmark", "options", "protocol_outputs", "survivors"}
    ),
)
def test_every_block_without_arguments_is_a_table(page: Path, block: str) -> None:
    text = generated(page, f"<!-- begin: {block} -->\n<!-- end -->")
    assert text.count("\n| ") > 1 and "|---|---|" in text


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("nothing", "there is no block 'nothing'"),
        ("table cifar10 Nothing", "there is no table 'Nothing'"),
        ('table cifar10 "Top-1 in %" nobody', "no line begins with nobody"),
        ("figure cifar10 nothing caption", "no figure 'nothing'"),
        ("settings of-mine", "takes 0 positional arguments"),
    ],
)
def test_a_marker_with_an_unknown_name_is_an_error(page: Path, words: str, error: str) -> None:
    page.write_text(f"<!-- begin: {words} -->\n<!-- end -->\n")
    [found] = stale()
    assert found.startswith("docs/page.md: ") and error in found


def test_table_lines_keep_the_requested_order() -> None:
    lines = evaluation("cifar10", "Top-1 in %", "k-means", "ColorCNN").splitlines()
    assert [line.split(" | ")[0] for line in lines] == [
        "| method",
        "|---|---|---|---|---|---|---|",
        "| k-means",
        "| ColorCNN",
    ]


def test_reports_read_together_have_the_rows_of_all() -> None:
    methods = {row["method"] for row in reports.report_of("cifar10+cifar10-refined")["rows"]}
    assert {"colorcnn", "colorcnn_refined_code"} <= methods
