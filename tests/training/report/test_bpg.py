"""training/report/bpg.py and palette_modes.py: the studies of BPG in Markdown."""

from models.evaluation.report_kinds import Kind
from models.evaluation.reports import parse
from tests.training.report.reports import report, row
from training.report import tables


def encoded(qp: int, bits: float, *, colors: int | None = None, top1: float = 0.5) -> dict[str, object]:
    method = "colorcnn" if colors else "bpg"
    return row(method, colors=colors, qp=qp, bits_per_pixel=bits, payload_bits_per_pixel=bits - 0.2, top1=top1)


STUDY = parse(
    report(
        Kind.BPG,
        *(encoded(qp, bits, colors=2) for qp, bits in [(30, 1.0), (10, 2.0), (11, 1.5), (31, 1.0)]),
        *(
            encoded(qp, bits, top1=top1)
            for qp, bits, top1 in [(10, 3.0, 0.8), (11, 2.5, 0.7), (30, 1.0, 0.6), (31, 2.0, 0)]
        ),
        codec="BPG 4:2:0",
        top1_original=0.9,
    )
)


def test_originals_come_before_palettes_and_only_some_qps_are_shown() -> None:
    assert tables.tables(STUDY)["Bits per pixel of BPG without fixed bytes"].splitlines() == [
        "| QP | originals | K = 2 |",
        "|---|---|---|",
        "| 10 | 2.80 | 1.80 |",
        "| 30 | 0.80 | 0.80 |",
    ]


def test_equal_bits_do_not_count_as_fewer() -> None:
    title = "QPs at which BPG of the quantized image is smaller than BPG of the original"
    assert tables.tables(STUDY)[title].splitlines()[2:] == ["| K = 2 | 10-11, 31 |"]


def test_top1_is_interpolated_between_qps_and_missing_beyond_them() -> None:
    rates = {
        line.split(" | ")[0]: line
        for line in tables.tables(STUDY)["Top-1 in % at equal bits per pixel of BPG"].splitlines()
    }
    assert rates["| 0.75"] == "| 0.75 | - | - |"
    assert rates["| 1.5"] == "| 1.5 | 30.0 | 50.0 |"
    assert rates["| 3"] == "| 3 | 80.0 | - |"


def test_an_unmeasured_coding_has_an_empty_cell() -> None:
    common = {"source": "cat.jpg", "method": "kmeans", "images": 1, "exact": 1.0}
    rows = [
        common | {"colors": k, "coding": coding, "bytes": 99.6} for k, coding in [(2, "PNG"), (2, "index"), (4, "PNG")]
    ]
    [(_, table)] = tables.tables(parse(report(Kind.PALETTE_MODES, *rows))).items()
    assert table.splitlines() == [
        "| images | method | K | PNG | index |",
        "|---|---|---|---|---|",
        "| cat.jpg | k-means | 2 | 100 | 100 |",
        "| cat.jpg | k-means | 4 | 100 | - |",
    ]
