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

Table = Mapping[tuple[int, Setting], Mapping[str, Measurement]]
"""Measurements by the name of the photograph, by side and setting. ORIGINAL at each side has every photograph."""


def rows(table: Table, readers: Mapping[str, Role]) -> list[PhotographRow]:
    """Return a row for each side, setting and reader."""
    return [row for (side, setting) in table for row in _rows(table, side, setting, readers)]


def differences(table: Table, readers: Mapping[str, Role], against: Sequence[str]) -> list[PhotographDifference]:
    """Return agreement minus the agreement of the methods `against` in equal numbers of colors, over
    the photographs that both have, for every palette and reader."""
    found = []
    for (side, setting), measured in table.items():
        for other in against:
            beside = table.get((side, Setting(other, None, setting.colors)))
            if (
                beside is None
                or setting.colors is None
                or setting.method == other
                or not measured.keys() & beside.keys()
            ):
                continue
            for reader in readers:
                gain = _gain(table[side, ORIGINAL], measured, beside, reader)
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
    each = measured.values()
    bits = float(np.mean([one.bits_per_pixel for one in each]))
    view_psnr = metrics.psnr(float(np.mean([one.view_mse for one in each])))
    for reader, role in readers.items():
        kept = _kept(table[side, ORIGINAL], measured, reader)
        kept_low, kept_high = interval(kept.astype(float))
        top1 = top1_low = top1_high = None
        if all(one.truth is not None for one in each):
            right = np.array([one.classes[reader] == one.truth for one in each], dtype=float)
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


def _kept(before: Mapping[str, Measurement], after: Mapping[str, Measurement], reader: str) -> NDArray[np.bool_]:
    return np.array([before[name].classes[reader] == one.classes[reader] for name, one in after.items()])


def _gain(
    before: Mapping[str, Measurement], after: Mapping[str, Measurement], beside: Mapping[str, Measurement], reader: str
) -> NDArray[np.float64]:
    """Return 1, 0 or -1 for each photograph that `after` and `beside` have: kept by `after` minus kept by `beside`."""
    both = [name for name in after if name in beside]
    first, second = (_kept(before, {name: some[name] for name in both}, reader) for some in (after, beside))
    return first.astype(np.float64) - second.astype(np.float64)
