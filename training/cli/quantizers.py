"""Quantizers that need no trained quantizer, by the names that commands accept: classical ones and refined ones."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from models.names import PHOTOGRAPH_METHODS, REFINED_IN_ONE_PASS, REFINED_QUICKLY
from models.networks.prefilter import Prefilter
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.refined import RefinedQuantizer
from models.recognizer import Recognizer

REFINED_FLAT = "refined_flat"
"""The refined quantizer without error diffusion, at every scale: flat areas, short files."""
METHODS = (*CLASSICAL, *PHOTOGRAPH_METHODS, REFINED_FLAT)
"""Every name that `make_quantizer` accepts."""


def _check(name: str) -> str:
    if name not in METHODS:
        raise ValueError(f"must be one of {', '.join(sorted(METHODS))}")
    return name


UntrainedMethod = Annotated[str, AfterValidator(_check)]
"""Name of a quantizer that needs no trained quantizer."""


def make_quantizer(
    method: str, recognizers: Sequence[Recognizer], fidelity: float = 0.0, prefilter: Prefilter | None = None
) -> Quantizer:
    """Return the quantizer of that name, one of METHODS.

    recognizers: those that a refined quantizer follows; a classical one needs none. fidelity: 0 to 1, of a refined one.
    prefilter: network of the refined quantizer in one pass, which needs one; the others ignore it.
    """
    if method in CLASSICAL:
        return CLASSICAL[method]
    if method == REFINED_IN_ONE_PASS:
        if prefilter is None:
            raise ValueError(f"{method} needs a prefilter")
        return RefinedQuantizer(tuple(recognizers), fidelity, prefilter=prefilter)
    dither = False if method == REFINED_FLAT else None
    return RefinedQuantizer(tuple(recognizers), fidelity, dither, quick=method == REFINED_QUICKLY)
