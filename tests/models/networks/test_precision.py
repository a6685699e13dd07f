"""Where bfloat16 pays."""

import pytest
import torch

from models.networks.precision import has_bfloat16


@pytest.mark.parametrize("told", [True, False])
def test_a_processor_has_what_torch_says_of_it(told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": told})
    assert has_bfloat16(torch.device("cpu")) is told


def test_a_processor_that_torch_knows_nothing_of_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert not has_bfloat16(torch.device("cpu"))


@pytest.mark.parametrize("emulated", [True, False])
def test_an_emulation_on_cuda_does_not_count(emulated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def supported(*, including_emulation: bool) -> bool:
        return emulated and including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert not has_bfloat16(torch.device("cuda"))
