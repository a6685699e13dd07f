"""Reports that tests build by hand: the JSON object of each, with only the values that a test cares about."""

from typing import Any

from models.evaluation.report_kinds import Kind, head

_MEASURED = {"command": "python -m measure", "commit": "c0ffee", "hardware": "2 cores", "torch": "2", "split": "test"}


def row(method: str, **changes: Any) -> dict[str, Any]:
    """Return the JSON object of a row of means over a test set."""
    setting = dict.fromkeys(("model", "colors", "quality", "qp", "fidelity"))
    measured = {"images": 3, "kept": 0.5, "top1": 0.25, "bytes": 99.0, "bits_per_pixel": 1.5, "ssim": 0.5}
    measured |= {"payload_bits_per_pixel": 1.0, "psnr": 20.0, "colors_used": 2.0, "milliseconds": 1.0}
    return {"method": method} | setting | measured | changes


def report(kind: Kind, *rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the JSON object of a report with these rows; `changes` replace or add entries."""
    data: dict[str, Any] = {
        "dataset": "dots",
        "quantizer": None,
        "images": 3,
        "classifier": "seer",
        "sha256": {},
        "seeds": {},
    }
    return head(kind) | _MEASURED | data | {"top1_original": 0.5, "rows": list(rows)} | changes
