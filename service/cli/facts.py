"""What a line and a JSON object state about a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.cli.outcome import saving
from service.client import ImageFile
from service.schemas.reports import QuantizeReport, RecognitionReport


def line_of_report(report: QuantizeReport) -> str:
    """Return a report in words: bytes, colors, method, labels, notes."""
    sizes = (saving(report.upload_bytes, report.bytes), f"{report.width}x{report.height} pixels")
    words = [*sizes, f"{len(report.palette)} colors", report.method]
    if report.recognition:
        words.append(_recognized(report.recognition))
    return ", ".join([*words, *report.notes])


def _recognized(recognition: RecognitionReport) -> str:
    before, after = recognition.before, recognition.after
    return f"{before.label} {before.probability:.2f} -> {after.label} {after.probability:.2f}"


def facts_of(file: ImageFile) -> dict[str, Any]:
    """Return what the headers of a file state about it."""
    goals = file.text("X-Goals-Met")
    palette = file.text("X-Palette")
    numbers = {"upload_bytes": "X-Upload-Bytes", "colors": "X-Colors", "width": "X-Width", "height": "X-Height"}
    return {
        "method": file.text("X-Method"),
        "model": file.text("X-Model"),
        "model_sha256": file.model_sha256,
        **{name: _whole(file.number(header)) for name, header in numbers.items()},
        "bytes": len(file.data),
        "bits_per_pixel": file.number("X-Bits-Per-Pixel"),
        "bit_depth": _whole(file.number("X-Bit-Depth")),
        "palette": palette.split(",") if palette else None,
        "goals_met": None if goals is None else goals == "true",
        "label_before": file.text("X-Label-Before"),
        "label_after": file.text("X-Label-After"),
        "notes": list(file.notes),
    }


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def line_of_file(facts: Mapping[str, Any], size: int) -> str:
    """Return the facts of a file of so many bytes in words, as `line_of_report` does."""
    before = facts["upload_bytes"]
    words = [saving(before, size) if before else f"{size:,} bytes", f"{facts['colors']} colors", facts["method"]]
    if facts["label_before"]:
        words.append(f"{facts['label_before']} -> {facts['label_after']}")
    return ", ".join([*map(str, words), *facts["notes"]])
