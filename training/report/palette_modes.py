"""Table of `training.evaluate.palette_modes`: file sizes of BPG that preserves an index map."""

from models.evaluation.reports import PaletteModesReport
from models.names import method_name
from training.report.markdown import NONE, table


def tables(report: PaletteModesReport) -> dict[str, str]:
    """Return the table by its title: mean bytes of a file, a column for each coding."""
    codings = list(dict.fromkeys(row.coding for row in report.rows))
    sizes: dict[tuple[str, str, int], dict[str, str]] = {}
    for row in report.rows:
        sizes.setdefault((row.source, row.method, row.colors), {})[row.coding] = f"{row.bytes:.0f}"
    lines = [
        [source, method_name(method), str(colors), *(by_coding.get(coding, NONE) for coding in codings)]
        for (source, method, colors), by_coding in sizes.items()
    ]
    return {"Bytes of a file that preserves the index map": table(["images", "method", "K", *codings], lines)}
