"""Number formats that a device supports in hardware."""

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware, and therefore faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))
