"""training/report/bpg.py: the studies of BPG in Markdown."""

from tests.training.report.test_tables import row
from training.report import tables


def coded(qp: int, bits: float, *, colors: int | None = None, top1: float = 0.5) -> dict[str, object]:
    method = "colorcnn" if colors else "bpg"
    return row(method, colors=colors, quality=qp, bits_per_pixel=bits, payload_bits_per_pixel=bits - 0.2, top1=top1)


STUDY = {
    "codec": "BPG 4:2:0",
    "top1_original": 0.9,
    "rows": [
        *(coded(qp, bits, colors=2) for qp, bits in [(30, 1.0), (10, 2.0), (11, 1.5), (31, 1.0)]),
        *(
            coded(qp, bits, top1=top1)
            for qp, bits, top1 in [(10, 3.0, 0.8), (11, 2.5, 0.7), (30, 1.0, 0.6), (31, 2.0, 0)]
        ),
    ],
}


def test_originals_come_before_palettes_and_only_some_qps_are_shown() -> None:
    assert tables.tables(STUDY)["Bits per pixel of BPG without fixed bytes"].splitlines() == [
        "| QP | originals | K = 2 |",
        "|---|---|---|",
        "| 10 | 2.80 | 1.80 |",
        "| 30 | 0.80 | 0.80 |",
    ]


def test_equal_bits_are_not_fewer() -> None:
    title = "QP at which BPG of a palette takes fewer bits than BPG of the original"
    assert tables.tables(STUDY)[title].splitlines()[2:] == ["| K = 2 | 10-11, 31 |"]


def test_between_two_qps_top1_is_linear_in_bits_and_beyond_them_there_is_none() -> None:
    rates = {
        line.split(" | ")[0]: line
        for line in tables.tables(STUDY)["Top-1 in % at equal bits per pixel of BPG"].splitlines()
    }
    assert rates["| 0.75"] == "| 0.75 | - | - |"
    assert rates["| 1.5"] == "| 1.5 | 30.0 | 50.0 |"
    assert rates["| 3"] == "| 3 | 80.0 | - |"


def test_a_coding_that_was_not_tried_has_no_bytes() -> None:
    place = {"source": "cat.jpg", "method": "kmeans", "images": 1, "exact": 1.0}
    rows = [
        place | {"colors": k, "coding": coding, "bytes": 99.6} for k, coding in [(2, "PNG"), (2, "index"), (4, "PNG")]
    ]
    [(_, table)] = tables.tables({"rows": rows}).items()
    assert table.splitlines() == [
        "| images | method | K | PNG | index |",
        "|---|---|---|---|---|",
        "| cat.jpg | k-means | 2 | 100 | 100 |",
        "| cat.jpg | k-means | 4 | 100 | - |",
    ]
