"""Number formats that a device multiplies in hardware."""

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware, and therefore faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def has_int8(device: torch.device) -> bool:
    """Return whether the device is a CPU that sums products of 8-bit integers exactly, four times as fast as float32.

    Without the VNNI instructions, sums of two products saturate at 16 bits.
    """
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(capabilities.get("avx512_vnni") or capabilities.get("avx_vnni"))
