"""Means over photographs, by setting, size and reader, with paired bootstrap intervals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from models.evaluation import metrics
from models.evaluation.compare import Setting
from models.evaluation.report_rows import PhotographDifference, PhotographRow, Role
from training.evaluate.photograph_measurements import ORIGINAL, Measurement

_RESAMPLES = 2000
_CONFIDENCE = 0.95

Table = Mapping[tuple[int, Setting], Sequence[Measurement]]
"""Measurements of the same photographs in the same order, by side and setting; ORIGINAL at each side is among them."""


def rows(table: Table, readers: Mapping[str, Role]) -> list[PhotographRow]:
    """Return a row for each side, setting and reader."""
    return [row for (side, setting) in table for row in _rows(table, side, setting, readers)]


def differences(table: Table, readers: Mapping[str, Role], against: Sequence[str]) -> list[PhotographDifference]:
    """Return agreement minus the agreement of the methods `against` in equal numbers of colors, photograph by
    photograph, for every palette and reader."""
    found = []
    for (side, setting), measured in table.items():
        for other in against:
            beside = table.get((side, Setting(other, None, setting.colors)))
            if beside is None or setting.colors is None or setting.method == other:
                continue
            for reader in readers:
                before = table[side, ORIGINAL]
                gain = _kept(before, measured, reader).astype(float) - _kept(before, beside, reader)
                low, high = interval(gain)
                share = float(gain.mean())
                found.append(
                    PhotographDifference(
                        **asdict(setting), side=side, reader=reader, against=other, points=share, low=low, high=high
                    )
                )
    return found


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (N,) values by the percentile bootstrap.

    The 2,000 resamples have a fixed seed: values of the same N photographs share them, so differences are paired.
    """
    if len(np.unique(values)) == 1:
        return float(values[0]), float(values[0])
    found = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, confidence_level=_CONFIDENCE, method="percentile", rng=0
    ).confidence_interval
    return float(found.low), float(found.high)


def _rows(table: Table, side: int, setting: Setting, readers: Mapping[str, Role]) -> Iterator[PhotographRow]:
    measured = table[side, setting]
    bits = float(np.mean([one.bits_per_pixel for one in measured]))
    view_psnr = metrics.psnr(float(np.mean([one.view_mse for one in measured])))
    for reader, role in readers.items():
        kept = _kept(table[side, ORIGINAL], measured, reader)
        kept_low, kept_high = interval(kept.astype(float))
        top1 = top1_low = top1_high = None
        if all(one.truth is not None for one in measured):
            right = np.array([one.classes[reader] == one.truth for one in measured], dtype=float)
            top1, (top1_low, top1_high) = float(right.mean()), interval(right)
        yield PhotographRow(
            **asdict(setting),
            side=side,
            reader=reader,
            role=role,
            images=len(measured),
            kept=float(kept.mean()),
            kept_low=kept_low,
            kept_high=kept_high,
            top1=top1,
            top1_low=top1_low,
            top1_high=top1_high,
            bits_per_pixel=bits,
            view_psnr=view_psnr,
        )


def _kept(before: Sequence[Measurement], after: Sequence[Measurement], reader: str) -> NDArray[np.bool_]:
    pairs = zip(before, after, strict=True)
    return np.array([first.classes[reader] == second.classes[reader] for first, second in pairs])
