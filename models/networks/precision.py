"""Which arithmetic a device is quick at."""

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are faster there than those of float32: not where they are only emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))
