"""models/networks/precision.py: bfloat16 and 8-bit integers count only in hardware."""

import pytest
import torch

from models.networks.precision import has_bfloat16, has_int8


@pytest.mark.parametrize("capable", [True, False])
def test_a_processor_has_the_precision_that_torch_reports(capable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": capable})
    assert has_bfloat16(torch.device("cpu")) is capable


def test_a_processor_unknown_to_torch_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert not has_bfloat16(torch.device("cpu"))


@pytest.mark.parametrize("emulated", [True, False])
def test_an_emulation_on_cuda_does_not_count(emulated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def supported(*, including_emulation: bool) -> bool:
        return emulated and including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert not has_bfloat16(torch.device("cuda"))


@pytest.mark.parametrize("name", ["avx512_vnni", "avx_vnni", "avx2"])
def test_8_bit_integers_need_vnni(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True})
    assert has_int8(torch.device("cpu")) is (name != "avx2")
    assert not has_int8(torch.device("cuda"))
