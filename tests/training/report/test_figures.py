"""training/report/figures.py: from the JSON of a real, small evaluation to files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.evaluation.reports import BadReport
from tests.training.workshop import Workshop
from training.report import figures


def test_the_command_draws_every_figure(workshop: Workshop, tmp_path: Path) -> None:
    files = figures.main(["--results", str(workshop.results), "--out", str(tmp_path / "sub")])

    assert [file.name for file in files] == [
        f"stripes-{name}.png" for name in ("accuracy", "rate", "rate-payload", "quality")
    ]
    assert sorted(files) == sorted((tmp_path / "sub").iterdir())
    for file in files:
        with Image.open(file) as picture:
            assert (picture.format, picture.size) == ("PNG", (1600, 900))
    assert len({file.read_bytes() for file in files}) == 4


def test_the_figures_show_every_row_of_the_report(workshop: Workshop) -> None:
    axes = figures.figures_of(workshop.results)["rate"].axes[0]
    lines = axes.get_lines()

    drawn = np.concatenate([np.column_stack([line.get_xdata(), line.get_ydata()]) for line in lines]).tolist()
    for row in workshop.report["rows"]:
        assert [row["bits_per_pixel"], 100 * row["top1"]] in drawn
    assert any(text.get_text().startswith("stripes, 200 images of test, stripes;") for text in axes.texts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("[]", 'this is not a report: it has no "kind"'),
        ('{"rows": []}', 'this is not a report: it has no "kind"'),
        ('{"kind": "tea", "schema_version": 1}', "kind 'tea' is unknown; known kinds are evaluation, bpg,"),
        ('{"kind": "evaluation", "schema_version": 2}', "schema version 2, not 1"),
        ('{"kind": "soak", "schema_version": 1}', "'soak' has no tables here"),
        ('{"kind": "evaluation", "schema_version": 1}', "'evaluation' is damaged .*command: Field required"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)

    with pytest.raises(BadReport, match=rf"other\.json.*{message}"):
        figures.main(["--results", str(file), "--out", str(tmp_path)])


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadReport, match=r"missing\.json cannot be read"):
        figures.main(["--results", str(tmp_path / "missing.json"), "--out", str(tmp_path)])


def test_chosen_test_images_are_drawn_under_their_activation_maps(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["--data", str(workshop.data), "--dataset", "stripes", "--models", str(workshop.models)]
    file = figures.main(["--maps", "3", "150", *flags, "--out", str(tmp_path)])[0]
    assert file.name == "stripes-maps.png"
    with Image.open(file) as picture:
        both = np.asarray(picture.convert("RGB")).astype(int)
    alone = figures.main(["--maps", "3", *flags, "--methods", "--out", str(tmp_path / "alone")])[0]
    with Image.open(alone) as picture:
        assert both.shape[0] > 3 * picture.height, "two images in two rows each against one in one"
    assert np.ptp(both, axis=2).max() > 100, "heat is not gray"


def test_an_unknown_image_number_is_rejected(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["--data", str(workshop.data), "--models", str(workshop.models), "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="no image 200; the test set has images 0 to 199"):
        figures.main(["--maps", "200", *flags])
